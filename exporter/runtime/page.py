"""What the status page is made from, gathered from the parts of a running exporter."""

from exporter import __version__
from exporter.runtime.fleet import Fleet
from exporter.runtime.parts import Publication
from exporter.runtime.reload import Reloader
from exporter.web.status.project import Facts


def facts(publication: Publication, fleet: Fleet, reloader: Reloader, *, started: float) -> Facts:
    """Return all that is known now. started: seconds since the epoch."""
    render, context = publication.scrape_options.render, fleet.plan.context
    return Facts(
        published=publication.store.view(),
        known=fleet.loops.clusters,
        objectives=render.objectives,
        owner_label=render.owner_label,
        discovery=fleet.discovery.state if fleet.discovery else None,
        ready=fleet.ready,
        version=__version__,
        shard=(context.share.ordinal, context.share.total),
        reload_error=reloader.refused,
        round_seconds=fleet.loops.requests / context.rate,
        interval=context.interval,
        rate_in_use=fleet.connection.client.budget.rate_in_use(),
        started=started,
        now=publication.clock.wall(),
    )
