"""Whether generated clients have been through the whole document.

Called with the document, the table of what they leave out, and a file for each client, named after it, with a line
`METHOD path status` for each call of a generated operation. What counts is each success of each operation (304 is one),
and each way to fail that the document names: a component that operations share, or one of an operation's own. Every
client must have seen all of them, but for those that stand in the table with a reason, of which it must have seen none.
"""

import csv
import json
import pathlib
import re
import sys

document_path, left_out_path, *called_paths = sys.argv[1:]
document = json.loads(pathlib.Path(document_path).read_text())
# What Prometheus answers is for the clients of Prometheus: testing/steps/prometheus runs these.
operations = {
    (method.upper(), path): operation
    for path, item in document["paths"].items()
    for method, operation in item.items()
    if not path.startswith("/prometheus/")
}
wrong = []


def what_counts(operation, status):
    """What an answer of this status shows, by name; nothing if the document does not have it."""
    response = operation["responses"].get(status)
    if response is None:
        return None
    if status >= "400" and "$ref" in response:
        return response["$ref"].removeprefix("#/components/responses/")
    return f"{operation['operationId']} {status}"


def operation_of(method, path):
    """A path as it stands in the document, or one that fits a template of it."""
    fits = [
        template
        for of, template in operations
        if of == method and re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path)
    ]
    return operations[method, min(fits, key=lambda template: template.count("{"))] if fits else None


everything = {what_counts(operation, status) for operation in operations.values() for status in operation["responses"]}
clients = {pathlib.Path(path).stem: path for path in called_paths}
left_out = {client: set() for client in clients}
with open(left_out_path, newline="") as table:
    for row in csv.DictReader(table, delimiter="\t"):
        named = clients if row["client"] == "all" else [row["client"]]
        if row["answer"] not in everything or not row["reason"] or not set(named) <= set(clients):
            wrong.append(f"the table has a row that says nothing: {row}")
        for client in named:
            left_out.setdefault(client, set()).add(row["answer"])

for client, path in clients.items():
    seen = set()
    for line in pathlib.Path(path).read_text().splitlines():
        method, called, status = line.split(" ")
        operation = operation_of(method, called)
        answer = operation and what_counts(operation, status)
        if answer is None:
            wrong.append(f"{client}: the document has no {line}")
        seen.add(answer)
    wrong += [f"{client}: not seen: {answer}" for answer in sorted(everything - seen - left_out[client])]
    wrong += [f"{client}: seen, and in the table: {answer}" for answer in sorted(left_out[client] & seen)]
    reasons = len(left_out[client])
    print(f"ok {client} has seen {len(everything & seen)} of {len(everything)} answers; {reasons} have a reason")

sys.exit("\n".join(wrong) or 0)
