"""Shots as arrays, and as what a sampler gives of a register: JSON text, packed bytes, truth values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from qrt_async.emulator.programs import Register

    Bits = npt.NDArray[np.uint8]


@attrs.frozen(eq=False)
class Samples:
    """Shots in order: shot `s` left the classical bits as the number `values[index[s]]`, bit 0 least significant."""

    values: Sequence[int]
    index: npt.NDArray[np.intp]

    @classmethod
    def from_bits(cls, bits: Bits, clbits: Sequence[int], num_clbits: int) -> Samples:
        """Make samples of measured bits, shape (shots, measurements), going into `clbits`; the others are 0."""
        words = memory_words(bits, clbits, num_clbits)
        distinct, index = np.unique(words, return_inverse=True)
        return cls(word_values(distinct), index.reshape(-1))

    def register(self, register: Register) -> bytes:
        """Write one register as the service does: a JSON list of hexadecimal texts, a shot each."""
        table = np.array([b'"0x%x",' % number for number in self._numbers(register)] or [b""])
        padded = table[self.index].tobytes()
        return b"[" + padded.translate(None, b"\0")[:-1] + b"]"

    def packed(self, register: Register) -> Bits:
        """Give one register as Qiskit's BitArray packs it: shape (shots, bytes), most significant byte first."""
        size = max((len(register.clbits) + 7) // 8, 1)
        table = b"".join(number.to_bytes(size, "big") for number in self._numbers(register))
        return np.frombuffer(table, dtype=np.uint8).reshape(-1, size)[self.index]

    def truths(self, register: Register) -> npt.NDArray[np.bool_]:
        """Give one register bit by bit: shape (shots, bits), bit 0 first."""
        return number_bits(self._numbers(register), len(register.clbits)).astype(np.bool_)[self.index]

    def _numbers(self, register: Register) -> list[int]:
        bits = register.clbits
        start, mask = bits[0], (1 << len(bits)) - 1
        if bits == tuple(range(start, start + len(bits))):
            return [value >> start & mask for value in self.values]
        return [sum((value >> bit & 1) << place for place, bit in enumerate(bits)) for value in self.values]


def memory_words(bits: Bits, clbits: Sequence[int], num_clbits: int) -> npt.NDArray[np.void]:
    """Pack measured bits, shape (rows, measurements), into one word per row of all classical bits."""
    memory = np.zeros((len(bits), max(num_clbits, 1)), dtype=np.uint8)
    memory[:, list(clbits)] = bits
    packed = np.packbits(memory, axis=1, bitorder="little")
    return np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).reshape(-1)


def word_values(words: npt.NDArray[np.void]) -> list[int]:
    """Read packed words as numbers."""
    return [int.from_bytes(word.tobytes(), "little") for word in words]


def number_bits(numbers: Sequence[int], width: int) -> Bits:
    """Unpack numbers into bits, shape (numbers, width), bit 0 first."""
    size = (width + 7) // 8
    packed = np.frombuffer(b"".join(number.to_bytes(size, "little") for number in numbers), dtype=np.uint8)
    return np.unpackbits(packed.reshape(len(numbers), size), axis=1, bitorder="little")[:, :width]
