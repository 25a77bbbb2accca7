"""Contracts of plug-ins, to run in a plug-in's own tests::

    from autoseg.testing import check_network
    from my_package.wide_unet import WideUNet

    def test_it_is_a_network():
        check_network(WideUNet)

Each raises `autoseg.errors.PluginError` with every rule that is broken, and what was
found. autoseg's own plug-ins are held to the same rules, which docs/extending.md says.
"""

from autoseg.testing.augmentation import check_augmentation as check_augmentation
from autoseg.testing.format import check_format as check_format
from autoseg.testing.logger import check_logger as check_logger
from autoseg.testing.loss import check_loss as check_loss
from autoseg.testing.network import check_network as check_network
from autoseg.testing.normalizer import check_normalizer as check_normalizer
from autoseg.testing.pointfile import check_pointfile as check_pointfile
from autoseg.testing.representation import (
    check_representation as check_representation,
)
from autoseg.testing.task import check_task as check_task
