"""What shows how safe a table, a model or a key is."""

from modelpriv._core.public import make_public
from modelpriv.evidence.anonymity import KAnonymity, k_of, l_of, t_of
from modelpriv.evidence.classes import EquivalenceClasses, equivalence_classes
from modelpriv.evidence.curve import KAnonymityCurveDisplay

__all__ = ["EquivalenceClasses", "KAnonymity", "KAnonymityCurveDisplay", "equivalence_classes", "k_of", "l_of", "t_of"]

make_public("modelpriv.evidence", globals(), __all__)
