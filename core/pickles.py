"""Pickles that cannot run anything: no class is looked up, and no length in them allocates memory.

`pickle` calls whatever a file names and believes every length that it states. Here a name is refused
unless a reader translates it, and every length is compared with the bytes that are there beforehand.
"""

import pickle
import pickletools
from io import BytesIO
from typing import Any, NoReturn

MEMO = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
"""Operations that number a value; the numbers are the size of a table that `pickle` allocates."""
EXTENSION_CODES = frozenset(("EXT1", "EXT2", "EXT4"))
"""Operations that name a class by its number in a table of the process."""


class PickleError(Exception):
    """Why a pickle is not read, in one line."""


class ForbiddenName(PickleError):
    """A pickle asks for something that a reader does not translate; calling it could run anything."""

    def __init__(self, name: str) -> None:
        super().__init__(f"it asks for {name}")
        self.name = name


class InertUnpickler(pickle.Unpickler):
    """Builds dicts, lists, tuples, texts and numbers; raises `ForbiddenName` for anything else.

    A subclass may translate names in `find_class` to inert values of its own.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(BytesIO(content))
        self.content = content

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for: nothing."""
        raise ForbiddenName(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        """What a reference to something outside of the pickle stands for: nothing."""
        raise PickleError(f"it refers to a {type(pid).__name__} outside of itself")

    def read(self) -> Any:
        """The content; raises `PickleError` for one that asks for more or is damaged."""
        try:
            check_lengths(self.content)
            return self.load()
        except PickleError:
            raise
        except Exception as error:  # damage can make any operation fail in any way
            _refuse_pickle(error)


def check_lengths(content: bytes) -> None:
    """Raises `PickleError` where a pickle states a length or a number that its bytes cannot hold.

    An eleven-byte pickle can state a frame, or a number of values, of many gigabytes.
    """
    try:
        for operation, argument, _ in pickletools.genops(content):
            if operation.name in MEMO or operation.name == "FRAME":
                length = int(argument or 0)
                if length > len(content):
                    raise PickleError(f"it states a length of {length:,} in {len(content):,} bytes")
            elif operation.name in EXTENSION_CODES:
                raise ForbiddenName(f"extension {argument}")
    except PickleError:
        raise
    except Exception as error:  # as above: these are the bytes of a stranger
        _refuse_pickle(error)


def _refuse_pickle(error: Exception) -> NoReturn:
    reason = (str(error).splitlines() or [""])[0][:120] or type(error).__name__
    raise PickleError(f"it is damaged: {reason}") from error
