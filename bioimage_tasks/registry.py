"""Things by name, each in a file of its own: what the rooms' ``register`` and ``get`` share.

A name and a value come in when a module of the room's package is imported; the value goes
out by its name. All modules of the package are read on the first look-up that needs them:
adding a value means adding a file. Must not know any room, nor what a value is.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Values by name: ``Registry("rooms.methods", one="method", none="no method")``.

    Parameters
    ----------
    package : str
        Dotted name of the package whose modules put values in; sub-packages are left alone.
    one : str
        What one value is called: "each ... needs a name of its own".
    none : str
        How a name that isn't there is told: "... has this name".
    asked : str
        The public function that looks up, in front of that message.
    fold : callable
        What makes names equal; :meth:`str.lower` where case doesn't matter.
    """

    def __init__(
        self,
        package: str,
        *,
        one: str,
        none: str,
        asked: str = "get",
        fold: Callable[[str], str] = str,
    ) -> None:
        self._package, self._one, self._none, self._asked = package, one, none, asked
        self._fold = fold
        #: Folded name, or alias, -> (name, value, address of what defined it).
        self._entries: dict[str, tuple[str, T, str]] = {}

    def put(self, name: str, value: T, *, by: Any = None, alias: str = "") -> None:
        """Put a value in; again from the same place, it takes the place of the older one.

        Parameters
        ----------
        name : str
        value : object
        by : function or class, optional
            What defines the value; without it the value itself.
        alias : str
            A second name; found, but not among :meth:`names`.

        Raises
        ------
        ValueError
            Another function or class has one of the names. Then nothing is put in.
        """
        place = _address(value if by is None else by)
        wanted = [given for given in (name, alias) if given]
        for given in wanted:
            known = self._entries.get(self._fold(given))
            if known is not None and known[2] != place:
                raise ValueError(
                    f"register: each {self._one} needs a name of its own; {given!r} is already "
                    f"{known[2]}; got {place}"
                )
        for given in wanted:
            self._entries[self._fold(given)] = (name, value, place)

    def find(self, name: str) -> T:
        """Return the value of that name, after a look into the package's files if need be.

        Raises
        ------
        ValueError
            There is no such value.
        Exception
            What a module of the package raised: a file that can't be read is no missing name.
        """
        key = self._fold(name)
        if key not in self._entries:
            self._load_all()
        if key not in self._entries:
            raise ValueError(
                f"{self._asked}: {self._none} has this name; there are "
                f"{', '.join(self.names())}; got {name!r}"
            )
        return self._entries[key][1]

    def names(self) -> tuple[str, ...]:
        """Return all names, sorted, without aliases; the package's files are read first."""
        self._load_all()
        return tuple(sorted({name for name, _, _ in self._entries.values()}))

    def __contains__(self, name: str) -> bool:
        """Tell whether the name has been put in so far; reads no file."""
        return self._fold(name) in self._entries

    def copy(self) -> Registry[T]:
        """Return another registry with the same values, for a trial that leaves no trace."""
        other = copy(self)
        other._entries = dict(self._entries)
        return other

    def _load_all(self) -> None:
        from importlib import import_module
        from pkgutil import iter_modules

        package = import_module(self._package)
        for module in iter_modules(package.__path__):
            if not module.ispkg:
                import_module(f"{self._package}.{module.name}")


def _address(what: Any) -> str:
    return f"{what.__module__}.{what.__qualname__}"


def check_signature(name: str, function: Callable[..., Any], leading: int) -> None:
    """Refuse a function whose parameters a sweep can't name.

    Parameters
    ----------
    name : str
        Under which it is to be registered.
    function : callable
    leading : int
        How many parameters come in by position; all further ones are its settings.

    Raises
    ------
    ValueError
        Fewer parameters by position, or a setting that is not keyword-only, typed and with
        a default.
    """
    from inspect import Parameter, signature

    found = list(signature(function).parameters.values())
    first, rest = found[:leading], found[leading:]
    by_position = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    if len(first) < leading or any(each.kind not in by_position for each in first):
        raise ValueError(
            f"register: {name!r} must take {leading} by position before its parameters; "
            f"got {signature(function)}"
        )
    for each in rest:
        if (
            each.kind is not Parameter.KEYWORD_ONLY
            or each.default is Parameter.empty
            or each.annotation is Parameter.empty
        ):
            after = " and ".join(repr(one.name) for one in first)
            raise ValueError(
                f"register: parameters of {name!r} after {after} must be keyword-only, "
                f"typed and have a default; got {str(each)!r}"
            )


def defaults(function: Callable[..., Any], leading: int) -> dict[str, Any]:
    """Return the settings of a function with their defaults, without the leading parameters."""
    from inspect import signature

    rest = list(signature(function).parameters.values())[leading:]
    return {each.name: each.default for each in rest}
