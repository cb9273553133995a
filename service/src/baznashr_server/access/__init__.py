"""Who may call: certificates, tokens with scopes and quotas, and the files they are kept in."""
