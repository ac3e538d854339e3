"""Alerts about the exporters, and about what they cannot know."""

from palette_rules.options import Options
from palette_rules.promql import indented, last
from palette_rules.rule import Alert, Group

COMMENT = """\
Alerts about the exporters themselves. PaletteExporterDown and PaletteNothingWatched name an
installation (the namespace of the target) only while another one works: without a namespace, they
hold back what any exporter reported.
"""

INSTALLATION = "{{ $labels.job }}{{ with $labels.namespace }} in namespace {{ . }}{{ end }}"


def _unreachable(options: Options, labels: str) -> str:
    """Return where no exporter can be scraped, or not regularly, by these labels."""
    up = f'up{{job="{options.job}"}}'
    return f"""\
max by ({labels}) ({up}) == 0
or
max by ({labels}) (avg_over_time({up}[30m])) < {options.threshold("reached_share")}
  unless on ({labels}) min_over_time({up}[10m]) == 1"""


def _seldom_there(options: Options) -> str:
    """Return where the job had no target for too much of 30 m, which no mean of `up` contains.

    A new installation had none before it began, and does not count.
    """
    up = f'up{{job="{options.job}"}}'
    return f"""\
count_over_time(absent({up})[30m:1m]) > 30 * (1 - {options.threshold("reached_share")})
  and on (job) count_over_time(absent({up})[8m:1m])
  and on (job) last_over_time({up}[20m] offset 10m)"""


def _down(options: Options) -> tuple[Alert, ...]:
    up = f'up{{job="{options.job}"}}'
    seldom = f"(avg_over_time({up}[30m]) < {options.threshold('reached_share')})"
    recovered = f"min_over_time({up}[10m]) == 1"
    everywhere = _unreachable(options, "job")
    return (
        Alert(
            key="exporter_down",
            name="PaletteExporterDown",
            severity="critical",
            # Also where there is no target at all: then `up` is absent, not 0.
            expr=f"""\
absent({up})
or
{_seldom_there(options)}
or
{everywhere}
or
(
{indented(_unreachable(options, "job, namespace"))}
)
unless on (job) (
{indented(everywhere)}
)""",
            keep="5m",
            summary="No exporter of an installation can be scraped.",
            description=f"Prometheus cannot scrape {INSTALLATION}, or "
            "not regularly: it is down, it restarts again and again, or it has no target. New "
            "problems of VM snapshots go unnoticed.",
        ),
        Alert(
            key="exporter_instance_down",
            name="PaletteExporterDown",
            severity="warning",
            expr=f"""\
(
  {up} == 0
  or
  {seldom} and {up}
    unless {recovered}
)
and on (job, namespace) max by (job, namespace) ({up}) == 1""",
            keep="5m",
            summary="One of several exporters cannot be scraped.",
            description="Prometheus cannot scrape {{ $labels.instance }} regularly. Clusters that "
            "only this exporter reads are not watched.",
        ),
    )


def _nothing_watched(options: Options) -> Alert:
    up, clusters = last("up", f'job="{options.job}"'), last("palette_cluster_up")
    return Alert(
        key="nothing_read",
        name="PaletteNothingWatched",
        severity="critical",
        expr=f"""\
max by (job) ({up}) == 1
unless on (job) {clusters}
or
max by (job, namespace) ({up}) == 1
unless on (job, namespace) {clusters}
and on (job) {clusters}""",
        wait="15m",
        summary="An installation of the exporter watches no cluster.",
        description=f"{INSTALLATION} is up and knows no cluster: the key "
        "is refused, Palette cannot be reached, or nothing is selected. No VM is watched.",
        page="/",
    )


def _discovery(options: Options) -> Alert:
    seldom = (
        f"(avg_over_time(palette_discovery_up[30m]) < bool {options.threshold('unread_share')})"
    )
    age = f"time() - {last('palette_discovery_last_success_timestamp_seconds')}"
    ordinal = (
        f'count_values by (job, instance) ("ordinal", {last("palette_exporter_shard_ordinal")})'
    )
    failing = f"({seldom} + ({age} > bool {options.threshold('discovery_within')}) or {seldom})"
    return Alert(
        key="discovery_failing",
        name="PaletteDiscoveryFailing",
        severity="warning",
        # Every shard discovers on its own; the best exporter of each shard counts.
        expr=f"""\
max by (job, namespace) (
  min by (job, namespace, ordinal) (
    {failing}
    * on (job, instance) group_left (ordinal) {ordinal}
    or
    {failing} unless on (job, instance) {ordinal}
  )
) > 0""",
        summary="Discovery of clusters fails.",
        description=f"{INSTALLATION} cannot list the clusters of "
        "Palette. New clusters are not watched; after a restart, no discovered cluster is.",
        page="/",
    )


def _shard_missing() -> Alert:
    ordinals, total = last("palette_exporter_shard_ordinal"), last("palette_exporter_total_shards")
    return Alert(
        key="shard_missing",
        name="PaletteExporterShardMissing",
        severity="critical",
        # The ordinal is a value: count_values makes the distinct ones countable, so that two
        # exporters of one ordinal do not hide that another is missing.
        expr=f"""\
max by (job, namespace) ({total})
-
count by (job, namespace) (
  count_values by (job, namespace) (
    "ordinal", {ordinals} < {total}
  )
)
> 0""",
        summary="No exporter reads a part of the clusters.",
        description=f"Shards of {INSTALLATION} that are not running: "
        "{{ $value }}. Their clusters are not watched.",
    )


def _own(options: Options) -> tuple[Alert, ...]:
    skew = options.threshold("clock_skew")
    return (
        Alert(
            key="reload_failed",
            name="PaletteExporterConfigReloadFailed",
            severity="warning",
            expr=f"max by (job, namespace, instance) "
            f"({last('palette_exporter_config_last_reload_successful')}) == 0",
            summary="The exporter refused its new configuration.",
            description="The last reload of {{ $labels.instance }} failed. The exporter keeps the "
            "previous configuration, and would not start with this one.",
            page="/config",
        ),
        Alert(
            key="rate_limited",
            name="PaletteExporterRateLimited",
            severity="warning",
            expr=f"""\
sum by (job, namespace, instance) (
  rate(palette_exporter_api_requests_total{{code="429"}}[10m])
)
/
sum by (job, namespace, instance) (rate(palette_exporter_api_requests_total[10m]))
> {options.threshold("refused_share")}""",
            wait="15m",
            summary="Palette refuses requests of the exporter: rate limit exceeded.",
            description="Palette answers {{ $value | humanizePercentage }} of the requests of "
            "{{ $labels.instance }} with 429. Data gets old.",
        ),
        Alert(
            key="round_too_long",
            name="PaletteExporterRoundTooLong",
            severity="info",
            expr="max by (job, namespace, instance) (\n"
            f"  {last('palette_exporter_round_seconds')}"
            f" > {last('palette_exporter_refresh_interval_seconds')}\n)",
            wait="30m",
            summary="A round over all clusters takes longer than the refresh interval.",
            description="{{ $labels.instance }} needs {{ $value | humanizeDuration }} for a round "
            "at its request rate. Data is older than refresh.interval suggests.",
        ),
        Alert(
            key="values_unreadable",
            name="PaletteValuesUnreadable",
            severity="warning",
            expr="sum by (job, namespace, field) "
            "(increase(palette_exporter_decode_errors_total[15m])) > 0",
            summary="Palette sends values that the exporter cannot read.",
            description="Field {{ $labels.field }} of Palette's answers cannot be read. What it "
            "says is not known, and the alerts that need it can be missing.",
        ),
        Alert(
            key="clock_wrong",
            name="PaletteExporterClockWrong",
            severity="warning",
            # The exporter works out ages by its own clock, at the scrape.
            expr=f"""\
min by (job, namespace, instance) (
  abs(
    palette_vm_snapshot_creation_timestamp_seconds
    + (palette_vm_snapshot_age_seconds > 0)
    - timestamp(palette_vm_snapshot_age_seconds)
  )
) > {skew}
or
max by (job, namespace, instance) (
  {last("palette_cluster_last_success_timestamp_seconds")} - time() > {skew}
)""",
            summary="The clock of an exporter differs from the clock of Prometheus.",
            description="The clock of {{ $labels.instance }} is off by "
            "{{ $value | humanizeDuration }}. Ages and objectives are wrong by as much.",
        ),
        Alert(
            key="probe_failing",
            name="PaletteProbeFailing",
            severity="warning",
            expr="max by (job, namespace, instance, cluster_uid, vm, snapshot) "
            "(avg_over_time(palette_probe_success[30m]))"
            f" < {options.threshold('unread_share')}",
            summary="Most probes of a VM fail.",
            description="Probes by job {{ $labels.job }} of {{ $labels.instance }} fail. Request "
            "the same probe with debug=true to see why.",
        ),
    )


def group(options: Options) -> Group:
    """Return the alerts about the exporters."""
    return Group(
        name="palette-exporter",
        comment=COMMENT,
        rules=(
            *_down(options),
            _nothing_watched(options),
            _discovery(options),
            _shard_missing(),
            *_own(options),
        ),
    )


def watchdog() -> Group:
    """Return an alert that always fires, for a Prometheus that has none."""
    return Group(
        name="palette-watchdog",
        comment="An alert that always fires: a receiver that misses it knows that alerting is\n"
        "broken. Leave this file out where your Prometheus has a Watchdog, as kube-prometheus.\n",
        rules=(
            Alert(
                key="watchdog",
                name="Watchdog",
                expr="vector(1)",
                wait="0s",
                keep="0s",
                severity="none",
                summary="Alerting works.",
                description="This alert always fires. Send it to a service that notices when it "
                "stops.",
            ),
        ),
    )
