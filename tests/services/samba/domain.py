"""Makes a domain and fills it, offline. Run by the system's Python: Samba's own modules live there only.

domain.py provision CONFIGURATION PASSWORD
domain.py seed CONFIGURATION NUMBER CONTAINER PREFIX
"""

import logging
import sys

from samba.auth import system_session
from samba.dsdb import DS_DOMAIN_FUNCTION_2008_R2
from samba.param import LoadParm
from samba.provision import provision
from samba.samdb import SamDB

NEVER_EXPIRES = 0x10000 | 0x200  # DONT_EXPIRE_PASSWORD, NORMAL_ACCOUNT
DISABLED = 0x2 | 0x200  # ACCOUNTDISABLE, NORMAL_ACCOUNT


def make(configuration: str, password: str) -> None:
    """Makes the domain that a configuration describes; its administrator's password lasts for ever."""
    settings = LoadParm(configuration)
    provision(
        logging.getLogger("provision"),
        system_session(settings),
        smbconf=configuration,
        lp=settings,
        realm=settings.get("realm"),
        domain=settings.get("workgroup"),
        hostname=settings.get("netbios name").lower(),
        hostip="127.0.0.1",
        adminpass=password,
        serverrole="active directory domain controller",
        dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2,
        base_schema="2012_R2",
        dns_backend="NONE",
        backend_store="mdb",
        backend_store_size=1 << 30,
        skip_sysvolacl=True,  # an ordinary user may not set it, and nothing here reads it
        use_ntvfs=False,
    )
    domain = opened(settings)
    administrator = f"CN=Administrator,CN=Users,{domain.domain_dn()}"
    replace(domain, administrator, "userAccountControl", str(NEVER_EXPIRES))
    host, realm = settings.get("netbios name"), settings.get("realm").lower()
    server = f"CN={host},OU=Domain Controllers,{domain.domain_dn()}"
    replace(domain, server, "servicePrincipalName", f"ldap/{host.lower()}.{realm}")  # tickets are asked for by it


def replace(domain: SamDB, dn: str, attribute: str, value: str) -> None:
    """Puts one value in place of those of an object's attribute."""
    domain.modify_ldif(f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n")


def seed(configuration: str, number: int, container: str, prefix: str) -> None:
    """Adds disabled users to a container in one transaction, many times faster than over the network."""
    domain = opened(LoadParm(configuration), "batch_mode:1", "transaction_index_cache_size:200000")
    suffix = domain.domain_dns_name()
    domain.transaction_start()
    try:
        for count in range(number):
            name = f"{prefix}{count:05}"
            domain.add({"dn": f"CN={name},{container}", **user(name, count, suffix)})
        domain.transaction_commit()
    except BaseException:
        domain.transaction_cancel()
        raise


def user(name: str, number: int, suffix: str) -> dict[str, str]:
    """What a user of that number holds: about as much as a municipality fills in."""
    return {
        "objectClass": "user",
        "sAMAccountName": name,
        "userPrincipalName": f"{name}@{suffix}",
        "userAccountControl": str(DISABLED),
        "givenName": f"Fornavn{number}",
        "sn": f"Etternavn{number}",
        "displayName": f"Fornavn{number} Etternavn{number}",
        "mail": f"{name}@{suffix}",
        "employeeID": str(number),
        "department": f"Avdeling {number % 20}",
        "title": "Rådgiver",
    }


def opened(settings: LoadParm, *options: str) -> SamDB:
    """The domain's database, with every right."""
    return SamDB(url=settings.samdb_url(), session_info=system_session(settings), lp=settings, options=list(options))


if __name__ == "__main__":
    what, file, *rest = sys.argv[1:]
    if what == "provision":
        make(file, *rest)
    else:
        seed(file, int(rest[0]), *rest[1:])
