"""The methods that make a Deidentifier from a policy and write it as one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from modelpriv.tables import policy as policies
from modelpriv.tables import policy_files, profiles
from modelpriv.tables.nested import NestedRules

if TYPE_CHECKING:
    from typing import Self

__all__ = ["MadeFromPolicies"]


class MadeFromPolicies(NestedRules):
    """An estimator whose rules come from policies."""

    @classmethod
    def from_policy(
        cls, policy: str | os.PathLike[str] | dict[str, Any], *, key: object = None, check: object = None
    ) -> Self:
        """Make a Deidentifier from a policy: a file in TOML, JSON or YAML, or what such a file says.

        Parameters
        ----------
        policy : path-like or dict
            The policy. It never holds a key.
        key : Keyring or str, optional
            The keyring, or its URI.
        check : object, callable or list of these, optional
            What the result has to pass.

        Returns
        -------
        Deidentifier
            Not fitted.

        Raises
        ------
        ParameterError
            The policy has an unknown field, a wrong value, or a column that is still to be reviewed. The message names
            the file, the line, the field and the nearest right one.

        Examples
        --------
        >>> from modelpriv import Deidentifier
        >>> policy = {"version": 1, "columns": {"name": {"transformer": "Masker", "format": "name"}, "age": "keep"}}
        >>> Deidentifier.from_policy(policy).to_policy()["columns"]["age"]
        'keep'
        """
        given = policy_files.read(policy)[1] if isinstance(policy, str | os.PathLike) else policies.parse(policy)
        return cls(**given, key=key, check=check)

    @classmethod
    def from_profile(cls, profile: str, roles: dict[str, str], *, key: object = None, check: object = None) -> Self:
        """Make a Deidentifier with a rule for each column by what it holds, and the claim of that name.

        Parameters
        ----------
        profile : {"hipaa-safe-harbor", "hipaa-limited", "pci-dss", "gdpr-pseudonymised", "gb-t-37964"}
            The legal text. What it asks is in the documentation of releases, with the sources.
        roles : dict of str to str
            What each column holds.
        key : Keyring or str, optional
            The keyring, or its URI.
        check : object, callable or list of these, optional
            What the result has to pass.

        Returns
        -------
        Deidentifier
            Not fitted. Change its rules where you know better, or write them down with `to_policy`.

        Raises
        ------
        ParameterError
            The profile or a role is unknown.
        """
        rules = profiles.rules_for(profile, roles)
        return cls(rules, key=key, check=check, claim=profile, roles=dict(roles))

    def to_policy(self, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """Return the rules as a policy, and write them to a file if a path is given.

        Parameters
        ----------
        path : path-like, optional
            A file whose name ends in ``.toml``, ``.json`` or ``.yaml``.

        Returns
        -------
        policy : dict
            What the file says. It holds no key.

        Raises
        ------
        ParameterError
            A rule cannot be written: its columns are chosen by a function, or a policy cannot name its transformer.
        """
        document = policies.describe(self.get_params(deep=False))
        if path is not None:
            policy_files.write(path, document)
        return document
