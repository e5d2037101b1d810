"""Compares the rights of the controller with what it asked: audit.py refused|rights AUDIT_LOG ACCOUNT < ROLES

ROLES is the JSON list of the roles that bind it. `refused` fails where a request of the account was answered with 401 or 403;
`rights` where a verb of a rule was never used.
"""

import json
import sys


def main(what, log, account):
    asked = [entry for entry in map(json.loads, open(log, encoding="utf-8")) if entry["user"].get("username") == account]
    if not asked:
        sys.exit(f"expected requests of {account} in {log}, saw none")
    if what == "refused":
        refused = {
            f"{a['verb']} {a['requestURI']}: {a['responseStatus'].get('message', a['responseStatus']['code'])}"
            for a in asked
            if a.get("responseStatus", {}).get("code") in (401, 403)
        }
        if refused:
            sys.exit("expected no request of the controller to be refused, saw:\n" + "\n".join(sorted(refused)))
        return
    used = {(group(a), resource(a), a["verb"]) for a in asked if "objectRef" in a and a.get("responseStatus", {}).get("code", 200) < 300}
    granted = {
        (g, r, v)
        for role in json.load(sys.stdin)["items"]
        for rule in role["rules"]
        for g in rule.get("apiGroups", [])
        for r in rule.get("resources", [])
        for v in rule["verbs"]
    }
    if not granted:
        sys.exit("expected rules in the roles, saw none")
    unused = granted - used
    if unused:
        sys.exit("expected each verb to be used, never seen:\n" + "\n".join(f"{v} {r}.{g}" for g, r, v in sorted(unused)))


def group(entry):
    return entry["objectRef"].get("apiGroup", "")


def resource(entry):
    reference = entry["objectRef"]
    return "/".join(filter(None, (reference["resource"], reference.get("subresource"))))


main(*sys.argv[1:])
