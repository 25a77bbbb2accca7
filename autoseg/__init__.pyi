"""The public API: what is not here may change without notice."""

from autoseg.cli.demo import demo as demo
from autoseg.cli.doctor import doctor as doctor
from autoseg.cli.slurm import slurm as slurm
from autoseg.datasets.merge import merge as merge
from autoseg.describing.stage import init as init
from autoseg.evaluate.stage import evaluate as evaluate
from autoseg.find_best.stage import find_best as find_best
from autoseg.fingerprint.check.stage import check as check
from autoseg.fingerprint.stage import fingerprint as fingerprint
from autoseg.model.export import export as export
from autoseg.model.export import import_nnunet as import_nnunet
from autoseg.model.library.stage import models as models
from autoseg.predict.predictor import Predictor as Predictor
from autoseg.predict.stage import predict as predict
from autoseg.prepare import plan_and_preprocess as plan_and_preprocess
from autoseg.preprocess.stage import preprocess as preprocess
from autoseg.report.compare.stage import compare as compare
from autoseg.report.stage import report as report
from autoseg.running.stage import run as run
from autoseg.teaching.stage import next as next
from autoseg.train.pretrain.stage import pretrain as pretrain
from autoseg.train.stage import train as train
from autoseg.train.teach.stage import teach as teach
from planners.stage import plan as plan

__version__: str
