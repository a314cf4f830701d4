"""What an import of jug's results did, and why some of them were left behind."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Refused:
    """A result of jug that was not taken, and why."""

    task: str  #: name of the function and beginning of our key
    jug_hash: str
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What an import did."""

    copied: int = 0  #: results brought over
    already: int = 0  #: tasks that had a result here
    missing: int = 0  #: tasks without a result in jug
    refused: list[Refused] = field(default_factory=list)
    unhashable: list[str] = field(default_factory=list)  #: calls that jug could not hash
    bytes: int = 0  #: of payload written
    unused: int = 0  #: results in jug that no task of the jugfile answers to
    stopped: bool = False  #: reading ended at a barrier: tasks behind it were not seen

    def lines(self) -> list[str]:
        """Return the report as lines for a person."""
        text = [
            f"{self.copied} results imported, {self.already} were here already, "
            f"{self.missing} tasks have no result in jug."
        ]
        text += [f"refused: {one.task}: {one.reason}" for one in self.refused]
        text += [f"no hash in jug: {one}" for one in self.unhashable]
        if self.unused:
            text.append(f"{self.unused} results in jug belong to no task of this jugfile.")
        if self.stopped:
            text.append("Tasks behind a barrier that is not met were not looked at.")
        return text
