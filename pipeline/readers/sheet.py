"""Workbooks (xlsx, xls, ods): the rows of every sheet as records, by a header as in CSV.

A sheet's header is the first of its upper rows that names a column of text; sheets without one are told of. Cells hold
what the workbook last computed. Trade-off: a sheet is held in memory as a whole.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, ClassVar

from pipeline.readers.content import Content, Unreadable
from pipeline.readers.fields import choose, missing
from pipeline.readers.package import Package
from pipeline.readers.reader import Bad, Intake, Reader, Record, record_of, within

UPPER = 20  # rows in which a header is looked for, behind titles and remarks


class Sheet(Reader):
    """A workbook whose sheets name their columns."""

    kind: ClassVar[str] = "sheet"
    formats: ClassVar[tuple[str, ...]] = ("xlsx", "xls", "ods")
    hostile: ClassVar[bool] = True

    def records(self, content: Content, intake: Intake) -> Iterator[Record | Bad]:
        """Yield a record for each row below the header of each sheet. Raises Unreadable where no sheet has one."""
        if content.data[:2] == b"PK":
            Package(content, intake).measure()
        number, why = 0, "the workbook has no sheet with rows"
        for name, rows in _sheets(content, intake):
            head = [[str(cell).strip() for cell in row] for row in rows[:UPPER]]
            found = ((at, names, choose(intake.fields, names)) for at, names in enumerate(head))
            at, names, columns = next(((at, names, of) for at, names, of in found if of), (0, [], None))
            if columns is None:
                filled = next((names for names in head if any(names)), None)
                if filled:
                    why = f"sheet '{name}': {missing(intake.fields, filter(None, filled))}"
                    intake.losses.append(why)
                continue
            for row in rows[at + 1 :]:
                if any(cell != "" for cell in row):
                    values = {key: _value(cell) for key, cell in zip(names, row, strict=False)}
                    yield within(record_of(number, values, columns), intake.limits)
                    number += 1
        if not number and intake.losses:
            intake.losses.clear()
            raise Unreadable(why)


def _sheets(content: Content, intake: Intake) -> Iterator[tuple[str, list[list[Any]]]]:
    import python_calamine

    try:
        with python_calamine.CalamineWorkbook.from_filelike(BytesIO(content.data[:])) as book:
            for name in book.sheet_names:
                yield name, book.get_sheet_by_name(name).to_python()
    except python_calamine.CalamineError as error:
        raise Unreadable(
            f"a damaged or locked {intake.format} file ({error}); save it anew without a password"
        ) from None


def _value(cell: Any) -> Any:
    """Return a cell as a field of a record: numbers as they are shown, an empty cell as empty text."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell) if isinstance(cell, (int, float)) else cell
