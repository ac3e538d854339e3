"""What the settings say about series."""

import re
from dataclasses import dataclass

from exporter.rollup import Objective
from exporter.snapshot import VirtualMachine


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """How clusters are rendered, and what is exported.

    objectives: the first that applies to a virtual machine counts.
    owner_label: the Kubernetes label of a VM that becomes the label ``owner``; "" for none.
    vm_labels: the Kubernetes labels in ``palette_vm_labels``; without any, it has no samples.
    deny: a family is left out if one of these matches its whole name.
    max_series: the number of series above which the exporter warns; 0 for no limit.
    """

    objectives: tuple[Objective, ...] = ()
    owner_label: str = ""
    vm_labels: tuple[str, ...] = ()
    deny: tuple[re.Pattern[str], ...] = ()
    max_series: int = 0

    def allows(self, family: str) -> bool:
        """Return whether the family of this name is exported."""
        return not any(pattern.fullmatch(family) for pattern in self.deny)

    def owner(self, vm: VirtualMachine) -> str:
        """Return the owner of a virtual machine; "" where its label is missing."""
        if not self.owner_label:
            return ""
        return next((value for name, value in vm.labels if name == self.owner_label), "")
