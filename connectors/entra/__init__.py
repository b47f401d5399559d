"""Entra ID, by way of Microsoft Graph."""
