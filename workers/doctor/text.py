"""The report for people: plain aligned text."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from workers.doctor.fit import gib
from workers.doctor.report import Cost, CostReport, DeviceReport, MachineReport, ModelReport, Report

_LEAST_WIDTH = 100


def show(report: Report, console: Console) -> None:
    """Print every section."""
    _machine(report.machine, console)
    _devices(report.devices, console)
    _models(report.models, console)
    if report.costs:
        _costs(report.costs, console)
    _warnings(report.warnings, console)
    _title(console, "Recommended pools.toml")
    console.print(report.pools_toml, soft_wrap=True)


def open_console() -> Console:
    """Standard output, wide enough for tables that go to a file."""
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=max(_LEAST_WIDTH, console.width))
    return console


def _machine(machine: MachineReport, console: Console) -> None:
    _title(console, "This machine")
    installed = [f"{name} {version}" for name, version in machine.packages.items() if version]
    missing = [name for name, version in machine.packages.items() if not version]
    compilers = [f"{command} ({name})" for name, command in machine.compilers.items() if command]
    _grid(
        console,
        [
            ("system", f"{machine.system}, Python {machine.python}"),
            ("processor", f"{machine.processor}, {machine.cores} cores, {machine.cpu_capability}"),
            ("packages", ", ".join(installed)),
            ("not installed", ", ".join(missing) or "nothing that would be of use"),
            ("compilers", ", ".join(compilers) or "none: torch.compile will not work"),
        ],
    )


def _devices(devices: Sequence[DeviceReport], console: Console) -> None:
    _title(console, "Devices")
    for device in devices:
        memory = f"{gib(device.free_bytes)} free of {gib(device.total_bytes)}"
        works = [each for each in device.precisions if each.works]
        fails = [each for each in device.precisions if not each.works]
        rates = [f"{e.name} ({e.gflops:,.0f} GFLOP/s)" if e.gflops else e.name for e in works]
        _grid(
            console,
            [
                (device.name, f"{device.title}, {memory}"),
                ("  precisions", ", ".join(rates)),
                *((f"  not {each.name}", each.reason) for each in fails),
                ("  attention", ", ".join(device.attention)),
            ],
        )


def _models(models: Sequence[ModelReport], console: Console) -> None:
    _title(console, "Models")
    weights = _table("model", "stage", "fp32", "fp16, bf16", "fp8, int8")
    fits = _table("model", "pool", "stage", "size", "frames", "a row takes", "rows that fit")
    for model in models:
        for stage, sizes in model.weights_bytes.items():
            weights.add_row(
                model.name, stage, *(gib(sizes[each]) for each in ("fp32", "bf16", "fp8"))
            )
        for fit in model.fits:
            fits.add_row(
                model.name,
                fit.pool,
                fit.stage,
                f"{fit.width}x{fit.height}",
                str(fit.num_frames),
                "" if fit.row_bytes is None else gib(fit.row_bytes),
                fit.note if fit.max_rows is None else f"{fit.max_rows} {fit.note}".strip(),
            )
    _print_table(console, "Weights", weights)
    _print_table(console, "Room beside the weights", fits)
    for model in models:
        if model.note:
            console.print(f"  {model.name}: {model.note}", soft_wrap=True)


def _costs(report: CostReport, console: Console) -> None:
    _title(console, f"What {report.model} costs here at {report.width}x{report.height}")
    table = _table("stage", "pool", "device", "precision", "threads", "rows", "seconds", "rows/s")
    for cost in report.costs:
        table.add_row(
            cost.stage,
            cost.pool,
            cost.device,
            cost.precision,
            str(cost.threads),
            str(cost.rows),
            _seconds(cost),
            f"{cost.rows / cost.seconds:.2f}",
        )
    console.print(Padding(table, (0, 0, 0, 2), expand=False))
    if any(cost.is_estimate for cost in report.costs):
        console.print("  ~ estimated from the operations, not run: the time for measuring was up")
    for note in report.notes:
        console.print(f"  not measured: {note}", soft_wrap=True)


def _seconds(cost: Cost) -> str:
    return f"{'~' if cost.is_estimate else ''}{cost.seconds:.3f}"


def _warnings(warnings: Iterable[str], console: Console) -> None:
    _title(console, "Warnings")
    for warning in warnings or ("none",):
        console.print(f"  - {warning}", soft_wrap=True)


def _title(console: Console, text: str) -> None:
    console.print(f"\n{text}", style="bold")


def _grid(console: Console, rows: Iterable[tuple[str, str]]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=13, no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    console.print(Padding(table, (0, 0, 0, 2), expand=False))


def _table(*headings: str) -> Table:
    return Table(*headings, box=None, pad_edge=False, header_style="dim")


def _print_table(console: Console, title: str, table: Table) -> None:
    if table.row_count:
        console.print(f"  {title}", style="italic")
        console.print(Padding(table, (0, 0, 0, 4), expand=False))
