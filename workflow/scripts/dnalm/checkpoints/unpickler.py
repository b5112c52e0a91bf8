"""A pickle reader that can build numbers, texts, lists, dictionaries and a closed list of stand-ins only.

A pickle is a program: loading an untrusted one with pickle, joblib or torch runs whatever it says. This
reader is Python's own interpreter of that language with every way to reach other code closed: names
are looked up in a table of stand-ins of ours and nowhere else; only stand-ins are called or given a state.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn

from dnalm.errors import UserError

REMEDY = "Do not open it with other tools either unless you trust where it comes from."


class RefusedNameError(Exception):
    """The pickle asks for something outside the closed list."""


class ClosedUnpickler(pickle._Unpickler):  # type: ignore[name-defined]
    """Reads one pickle.

    Args:
        handle: has read(n), which never gives (or allocates) more than there is, and readline().
        names: (module, name) -> stand-in class or function; everything else is refused.
        stateful: stand-in classes whose instances may be given a state.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]

    def __init__(
        self,
        handle: Any,
        names: Mapping[tuple[str, str], Callable[..., Any]],
        stateful: tuple[type, ...],
    ) -> None:
        super().__init__(handle)
        self.handle, self.names, self.stateful = handle, names, stateful

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in self.names:
            raise RefusedNameError(f"{module}.{name}")
        return self.names[module, name]

    def get_extension(self, code: int) -> NoReturn:
        raise RefusedNameError(f"extension {code}")

    def _check_callable(self, index: int) -> None:
        if not any(self.stack[index] is stand_in for stand_in in self.names.values()):
            raise RefusedNameError(f"a call of {type(self.stack[index]).__name__}")

    def load_reduce(self) -> None:
        self._check_callable(-2)
        super().load_reduce()

    def load_newobj(self) -> None:
        self._check_callable(-2)
        super().load_newobj()

    def load_build(self) -> None:
        if type(self.stack[-2]) not in self.stateful:
            raise RefusedNameError(f"a state for {type(self.stack[-2]).__name__}")
        super().load_build()

    def _refuse(self) -> NoReturn:
        raise RefusedNameError("an outdated or unknown instruction")

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build
    for _code in (pickle.NEWOBJ_EX, pickle.INST, pickle.OBJ, pickle.PERSID, pickle.NEXT_BUFFER):
        dispatch[_code[0]] = _refuse


def read_pickle(unpickler: ClosedUnpickler, path: object) -> Any:
    """Runs the reader and turns whatever goes wrong into one clear line.

    Raises:
        UserError: a refused name, truncation, or no pickle at all.
    """
    try:
        return unpickler.load()
    except RefusedNameError as fault:
        raise UserError(
            path, f"refused: it asks for {fault}, expected plain arrays of weights", REMEDY
        ) from fault
    except (EOFError, pickle.UnpicklingError, ValueError, KeyError, IndexError, TypeError) as fault:
        detail = f"{type(fault).__name__} {fault}".strip()
        raise UserError(path, f"truncated or damaged ({detail})", "Fetch the file again.") from fault
    except (AttributeError, OverflowError, MemoryError, RecursionError, UnicodeError) as fault:
        raise UserError(path, f"damaged ({type(fault).__name__})", "Fetch the file again.") from fault
