"""The error codes of `kvm_page_fault`: of a nested page fault (SVM), or the qualification (VMX)."""

_NESTED = ((1 << 32, "page"), (1 << 33, "page table"))
"""Whether the guest's page or its page table was accessed: SVM's hardware sets one of the two."""

_SVM = (
    (1 << 0, "protected"),
    (1 << 1, "write"),
    (1 << 2, "user"),
    (1 << 3, "reserved bit"),
    (1 << 4, "fetch"),
    (1 << 31, "RMP"),
    (1 << 34, "encrypted"),
    *_NESTED,
)
_EPT_LINEAR = 1 << 7
"""Of VMX: the guest's linear address is known, as it is but for some accesses of the CPU's own."""

_EPT_PAGE = 1 << 8
_EPT_ACCESSES = ((1 << 0, "read"), (1 << 1, "write"), (1 << 2, "fetch"))
_EPT_PRESENT = 0b111 << 3


def describe_fault(code: int) -> str:
    """Return what a code says, in words: `write, page`. Bits without a name are left out."""
    if code & (_EPT_LINEAR | _EPT_PAGE) and not any(code & bit for bit, _ in _NESTED):
        return ", ".join(_of_vmx(code))
    words = [word for bit, word in _SVM if code & bit]
    if not code & 0b10010:
        words.insert(0, "read")
    return ", ".join(words)


def _of_vmx(code: int) -> list[str]:
    words = [word for bit, word in _EPT_ACCESSES if code & bit]
    if code & _EPT_PRESENT:
        words.append("protected")
    if code & _EPT_LINEAR:
        words.append("page" if code & _EPT_PAGE else "page table")
    return words
