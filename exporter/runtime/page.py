"""What the status page is made from, gathered from the parts of a running exporter."""

from exporter import __version__
from exporter.runtime.fleet import Fleet
from exporter.runtime.parts import Publication, render_options
from exporter.runtime.reload import Reloader
from exporter.web.status.project import Facts


def facts(publication: Publication, fleet: Fleet, reloader: Reloader, *, started: float) -> Facts:
    """Return all that is known now. started: seconds since the epoch."""
    settings, loops = publication.settings, fleet.refresher
    return Facts(
        published=publication.store.view(),
        known=loops.clusters,
        objectives=render_options(settings).objectives,
        owner_label=settings.labels.owner or "",
        discovery=fleet.discovery.state if fleet.discovery else None,
        ready=fleet.ready,
        version=__version__,
        shard=(settings.shard.index, settings.shard.total),
        reload_error=reloader.refused,
        round_seconds=loops.requests / settings.palette.requests_per_second,
        interval=settings.refresh.interval,
        started=started,
        now=publication.clock.wall(),
    )
