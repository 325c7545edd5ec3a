"""The pure model: reasons, histograms, samples, snapshots and views of them."""
