"""Will given rows grok?  Theory and a run to compare with it: ``linear-grokking analyze``."""

from linear_grokking.analysis.analyzing import Settings, analyze, prepared
from linear_grokking.analysis.classification import ClassificationAnalysis, SetVerdict
from linear_grokking.analysis.regression import RegressionAnalysis

__all__ = [
    "ClassificationAnalysis",
    "RegressionAnalysis",
    "SetVerdict",
    "Settings",
    "analyze",
    "prepared",
]
