"""What refusals mean, in words for an operator."""

from __future__ import annotations

import pytest

from connectors.entra.refusals import sign_in_refused


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("Microsoft Entra ID error '(invalid_client) AADSTS7000222: The provided client secret keys", "has expired"),
        ("Microsoft Entra ID error '(invalid_client) AADSTS7000215: Invalid client secret", "the secret is wrong"),
        ("AADSTS700027: The certificate with identifier used to sign", "the certificate"),
        ("AADSTS90002: Tenant 'x' not found.", "no such tenant"),
        ("AADSTS50034: what nobody thought of", "AADSTS50034: what nobody thought of"),  # told as it came
        ("ManagedIdentityCredential authentication unavailable", "authentication unavailable"),
    ],
)
def test_who_is_not_let_in_is_told_what_to_do(told: str, said: str):
    """By the number that Entra gives, since its words change; the number is told, too."""
    assert said in sign_in_refused(told)
    assert not told.startswith("Microsoft") or "AADSTS" in sign_in_refused(told)
