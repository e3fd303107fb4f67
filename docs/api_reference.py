#!/usr/bin/env python3
"""Writes the pages of the API from openapi/openapi.json.

    docs/api_reference.py            writes docs/reference/api.md and the tables of docs/reference/errors.md
    docs/api_reference.py --check    fails, with the difference, if they are not what it would write

The document says what there is; this script says in which order it is told, and has an example request for each
operation, which the test of the book makes.
"""

import difflib
import json
import pathlib
import re
import sys

DOCS = pathlib.Path(__file__).resolve().parent
DOCUMENT = json.loads((DOCS.parent / "openapi" / "openapi.json").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]
RESPONSES = DOCUMENT["components"]["responses"]
HEADERS = DOCUMENT["components"]["headers"]
API_PAGE = DOCS / "reference" / "api.md"
ERRORS_PAGE = DOCS / "reference" / "errors.md"

# Units that a field's name ends in, the longest first.
UNITS = [
    ("_bytes_per_second", "bytes/s"),
    ("_bytes_total", "bytes"),
    ("_bytes", "bytes"),
    ("_percent", "%"),
    ("_mbps", "10⁶ bit/s"),
    ("_ms", "ms"),
    ("_seconds", "s"),
    ("_celsius", "°C"),
    ("_count", "number"),
]

GET = 'curl -s -H "Authorization: Bearer $KEY" "https://monitor.example.com{}"'
POST = 'curl -s -X POST -H "Authorization: Bearer astra_agent_…" {} \\\n  "https://monitor.example.com{}"'
QUERY = (
    'curl -sG -H "Authorization: Bearer $KEY" "https://monitor.example.com/prometheus/api/v1/{}" \\\n'
    "  --data-urlencode 'query=avg by (site) (astranetmon_cpu_percent)'"
)
JSON_BODY = "-H 'Content-Type: application/json' \\\n  -d '{}'"
LINE = "--data-binary 'system load1=0.42,load5=0.3'"
NOW = "'$(date -u +%FT%TZ)'"

# Operation: the request, or (a hidden preparation, the request). The answer is made of the document's examples.
REQUESTS = {
    "list_agents": GET.format("/api/v1/agents?label=site:ber"),
    "get_agent": GET.format("/api/v1/agents/agent-123"),
    "list_metrics": GET.format("/api/v1/metrics?agent_id=agent-123&start_date=-1h&limit=1"),
    "list_speedtests": GET.format("/api/v1/speedtests?status=completed&limit=1"),
    "get_speedtest": (
        'SPEEDTEST=$(curl -s -H "Authorization: Bearer $KEY" \\\n'
        '  "https://monitor.example.com/api/v1/speedtests?status=completed&limit=1&fields=id" |\n'
        '  grep -oE "[0-9a-f-]{36}")',
        GET.format("/api/v1/speedtests/$SPEEDTEST"),
    ),
    "list_traceroutes": GET.format("/api/v1/traceroutes?target=one.one.one.one&limit=1"),
    "get_traceroute": (
        'TRACEROUTE=$(curl -s -H "Authorization: Bearer $KEY" \\\n'
        '  "https://monitor.example.com/api/v1/traceroutes?limit=1&fields=id" | grep -oE "[0-9a-f-]{36}")',
        GET.format("/api/v1/traceroutes/$TRACEROUTE"),
    ),
    "get_overview": GET.format("/api/v1/overview"),
    "get_key": GET.format("/api/v1/key"),
    "get_usage": GET.format("/api/v1/usage"),
    "stream_records": GET.replace("-s ", "-sN ").format("/api/v1/stream?kinds=metrics&seconds=6"),
    "get_openapi": 'curl -s "https://monitor.example.com/api/v1/openapi.json" > openapi.json',
    "get_docs": 'curl -s "https://monitor.example.com/api/v1/docs" > docs.html',
    "enroll_agent": (
        "ENROLMENT_TOKEN=$(astranetmon enrolment create --account demo-enterprise --name reference)",
        "curl -s -X POST "
        + JSON_BODY.format('{"token": "astra_enroll_…", "agent_id": "reference", "facts": {"hostname": "web-9"}}')
        + ' \\\n  "https://monitor.example.com/ingest/v1/enroll"',
    ),
    "heartbeat": (
        "ENROLMENT_TOKEN=$(astranetmon enrolment create --account demo-enterprise --name reference)\n"
        'AGENT_TOKEN=$(curl -s -X POST -H "Content-Type: application/json" \\\n'
        '  -d "{\\"token\\": \\"$ENROLMENT_TOKEN\\", \\"agent_id\\": \\"reference-2\\", '
        '\\"facts\\": {\\"hostname\\": \\"web-9\\"}}" \\\n'
        '  "https://monitor.example.com/ingest/v1/enroll" | grep -oE "astra_agent_[0-9A-Za-z]+")',
        POST.format(
            JSON_BODY.format('{"facts": {"hostname": "web-9"}, "interval_seconds": 60}'), "/ingest/v1/heartbeat"
        ),
    ),
    # One row that is new, the same again, and one that cannot be.
    "ingest_metrics": POST.format(
        JSON_BODY.format(
            f'{{"metrics": [{{"timestamp": "{NOW}", "cpu_percent": 12.5, "fan_rpm": 900}},\n'
            '       {"timestamp": "2026-11-23T11:26:58Z", "cpu_percent": 8.1},\n'
            '       {"timestamp": "2026-11-23T11:26:58Z", "cpu_percent": 8.1},\n'
            f'       {{"timestamp": "{NOW}", "cpu_percent": 120}}]}}'
        ),
        "/ingest/v1/metrics",
    ),
    "ingest_speedtests": POST.format(
        JSON_BODY.format(
            '{"speedtests": [{"id": "01930a5e-7c3b-7d2a-9e4f-3b1c5d7e9f02", "timestamp": "' + NOW + '",\n'
            '       "status": "completed", "download_mbps": 480.5}]}'
        ),
        "/ingest/v1/speedtests",
    ),
    "ingest_traceroutes": POST.format(
        JSON_BODY.format(
            '{"traceroutes": [{"id": "01930a5e-7c3b-7d2a-9e4f-3b1c5d7e9f03", "timestamp": "' + NOW + '",\n'
            '       "target": "example.com", "protocol": "icmp", "status": "completed", "reached": true,\n'
            '       "hops": [{"ttl": 1, "ip": "192.0.2.1", "rtt_avg_ms": 0.9, "sent_count": 3, "received_count": 3}]}]}'
        ),
        "/ingest/v1/traceroutes",
    ),
    "ingest_lines": POST.format(
        "--data-binary 'system load1=0.42,load5=0.3,n_cpus=8\nthis is no line'", "/ingest/v1/influx"
    ),
    "ingest_lines_v2": POST.format(LINE, "/ingest/v1/influx/api/v2/write?precision=s"),
    "prometheus_query": QUERY.format("query"),
    "prometheus_query_range": QUERY.format("query_range")
    + ' \\\n  -d "start=$(date -d -1hour +%s)" -d "end=$(date +%s)" -d step=60',
    "prometheus_label_values": GET.format("/prometheus/api/v1/label/agent_id/values"),
    "prometheus_build_info": GET.format("/prometheus/api/v1/status/buildinfo"),
    "ingest_lines_v1": POST.format(LINE, "/ingest/v1/influx/write?precision=s"),
}

# Answers that show less than the document's examples do.
ALL_TAKEN = {"taken": 1, "known": 0, "refused": 0, "known_rows": [], "refused_rows": [], "ignored_fields": []}
ANSWERS = {
    "ingest_speedtests": ALL_TAKEN,
    "ingest_traceroutes": ALL_TAKEN,
    # What lies under `data` is Prometheus's to say, and so not in the document.
    "prometheus_query": {
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": {"site": "ber"}, "value": [1795433218, "12.5"]}]},
    },
    "prometheus_query_range": {
        "status": "success",
        "data": {"resultType": "matrix", "result": [{"metric": {"site": "ber"}, "values": [[1795433218, "12.5"]]}]},
    },
    "prometheus_label_values": {"status": "success", "data": ["agent-123"]},
}


def resolve(item, kind="schemas"):
    """What a `$ref` stands for, and its name; its own text beside a reference wins."""
    if "$ref" in item:
        name = item["$ref"].rsplit("/", 1)[1]
        return {**DOCUMENT["components"][kind][name], **{k: v for k, v in item.items() if k != "$ref"}}, name
    return item, None


def cell(text):
    """Text in one cell of a table."""
    return re.sub(r"\s+", " ", text or "").replace("|", "\\|").strip()


def code(value):
    return f"`{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"


def shape(schema):
    """The type of a value, as a reader wants to know it."""
    options = schema.get("oneOf") or schema.get("anyOf")
    if options:
        return " or ".join(shape(option) for option in options)
    target, name = resolve(schema)
    if name and target.get("type") == "object":
        return f"[{name}](#{name.lower()})"
    if "enum" in target:
        return "one of " + ", ".join(code(value) for value in target["enum"] if value is not None)
    types = target.get("type", "any")
    types = types if isinstance(types, list) else [types]
    if "array" in types:
        words = ["list of " + shape(target["items"])]
    else:
        number = {"integer": "whole number"}
        words = [
            "time" if target.get("format") == "date-time" else number.get(kind, kind)
            for kind in types
            if kind != "null"
        ]
    return " or ".join(words + (["null"] if "null" in types else []))


def in_order(name, properties):
    """A record's fields in the order in which the API sends them, which `fields` of its list tells."""
    order = []
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            if name == answer_record(operation):
                for parameter in operation.get("parameters", []):
                    if parameter["name"] == "fields":
                        order = parameter["schema"]["items"]["enum"]
    return sorted(properties, key=lambda field: order.index(field) if field in order else len(order))


def answer_record(operation):
    """The record of which an operation answers a list."""
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    properties = resolve(content.get("schema", {}))[0].get("properties", {})
    for field in properties.values():
        if field.get("type") == "array":
            return resolve(field["items"])[1]
    return None


def example(schema):
    options = schema.get("oneOf") or schema.get("anyOf")
    if options:
        return example(options[0])
    target, name = resolve(schema)
    if "example" in target:
        return target["example"]
    if target.get("examples"):
        return target["examples"][0]
    if "enum" in target:
        return target["enum"][0]
    types = target.get("type", "object")
    first = types[0] if isinstance(types, list) else types
    if first == "array":
        return [example(target["items"])]
    if first == "object":
        # What need not be there is there on request only.
        fields = [
            field for field in in_order(name, target.get("properties", {})) if field in target.get("required", [])
        ]
        return {field: example(target["properties"][field]) for field in fields}
    return {"string": "…", "integer": 0, "number": 0.0, "boolean": False, "null": None}[first]


def written(value):
    """JSON with as much on a line as fits."""

    def lines(value, indent, room):
        flat = json.dumps(value, ensure_ascii=False)
        if len(flat) <= room or not isinstance(value, (dict, list)) or not value:
            return flat
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        inner = indent + "  "
        parts = (
            [f"{json.dumps(key)}: {lines(item, inner, 116 - len(inner) - len(key))}" for key, item in value.items()]
            if isinstance(value, dict)
            else [lines(item, inner, 116 - len(inner)) for item in value]
        )
        # Short members share lines, long ones stand alone.
        rows, row = [], ""
        for number, part in enumerate(parts):
            part += "," if number + 1 < len(parts) else ""
            if row and ("\n" in part or "\n" in row or len(inner) + len(row) + 1 + len(part) > 118):
                rows.append(row)
                row = part
            else:
                row = f"{row} {part}" if row else part
        rows.append(row)
        return opening + "\n" + "\n".join(inner + row for row in rows) + "\n" + indent + closing

    return lines(value, "", 118)


def form(parameter):
    schema = parameter["schema"]
    if schema.get("type") == "array" and "enum" in schema["items"]:
        names = schema["items"]["enum"]
        text = "names of fields" if parameter["name"] == "fields" else "of " + ", ".join(code(value) for value in names)
        text = f"list: {text}"
    else:
        text = shape(schema)
    if parameter["name"] in ("start_date", "end_date"):
        text = "time"
    for key, word in (("default", "default"), ("minimum", "at least"), ("maximum", "at most")):
        if key in schema:
            text += f", {word} {code(schema[key])}"
    return text


def parameter_example(parameter):
    schema = parameter["schema"]
    for value in [parameter.get("example"), *(schema.get("examples") or [])[:1], (schema.get("enum") or [None])[0]]:
        if value is not None:
            value = ",".join(value) if isinstance(value, list) else value
            return f"`{parameter['name']}={value}`" if parameter["in"] == "query" else code(value)
    return ""


def operation_text(method, path, operation):
    name = operation["operationId"]
    yield f"### {operation['summary']}"
    yield ""
    yield f"`{method.upper()} {path}` (`{name}`)"
    yield ""
    description = re.sub(r"\n*Required permission: .*", "", operation.get("description", "")).strip()
    if description:
        yield description
        yield ""
    schemes = [scheme for way in operation.get("security", []) for scheme in way]
    if operation.get("x-required-permission"):
        yield f"**Permission**: `{operation['x-required-permission']}`; or a dashboard session."
    elif "agent_token" in schemes:
        yield "**Credential**: an agent token, which writes for its own agent."
    elif name == "enroll_agent":
        yield "**Credential**: the enrolment token in the body."
    elif name == "stream_records":
        yield "**Permission**: that of each kind that is asked for."
    elif "api_key" in schemes:
        yield "**Permission**: none; any API key. Free of charge."
    else:
        yield "**Permission**: none; open to everybody."
    yield ""
    parameters = operation.get("parameters", [])
    if parameters:
        yield "| Parameter | Form | Meaning |"
        yield "| --- | --- | --- |"
        for parameter in parameters:
            needed = "required" if parameter.get("required") else ""
            where = needed if parameter["in"] == "query" else parameter["in"]
            where = f" ({where})" if where else ""
            such_as = parameter_example(parameter)
            # Of a few values none need be repeated.
            shown = form(parameter) + (f"; {such_as}" if such_as and "enum" not in parameter["schema"] else "")
            yield f"| `{parameter['name']}`{where} | {cell(shown)} | {cell(parameter.get('description'))} |"
        yield ""
    body = operation.get("requestBody")
    if body:
        kinds = ", ".join(f"`{kind}`: {shape(content.get('schema', {}))}" for kind, content in body["content"].items())
        yield f"**Body**: {kinds}. {body.get('description', '')}"
        yield ""
    yield "| Answer | Body | Meaning |"
    yield "| --- | --- | --- |"
    errors = []
    for status, response in operation["responses"].items():
        target, _ = resolve(response, "responses")
        if status >= "400":
            errors.append(status)
            continue
        contents = target.get("content", {})
        kinds = [
            shape(content["schema"]) if kind == "application/json" and "schema" in content else f"`{kind}`"
            for kind, content in contents.items()
        ]
        yield f"| {status} | {', '.join(kinds) or 'none'} | {cell(target['description'])} |"
    yield ""
    yield f"**Errors**: [{', '.join(errors)}](errors.md#errors)."
    request = REQUESTS.get(name)
    if request:
        if isinstance(request, tuple):
            yield ""
            yield f"<!-- run\n{request[0]}\n-->"
            request = request[1]
        yield ""
        yield "```sh"
        yield request
        yield "```"
        success = operation["responses"].get("200") or operation["responses"].get("201", {})
        schema = success.get("content", {}).get("application/json", {}).get("schema")
        known = name in ANSWERS or not name.startswith("prometheus_")
        if schema and known and ">" not in request:
            yield ""
            yield "```json"
            yield written(ANSWERS.get(name) or example(schema))
            yield "```"
    yield ""


def record_text(name, schema):
    yield f"### {name}"
    yield ""
    yield schema.get("description", "").strip()
    yield ""
    required = schema.get("required", [])
    properties = schema["properties"]
    optional = any(field not in required for field in properties)
    yield "| Field | Form | Unit | Meaning |" if not optional else "| Field | Form | Unit | Must be there | Meaning |"
    yield "| --- | --- | --- | --- |" if not optional else "| --- | --- | --- | --- | --- |"
    for field in in_order(name, properties):
        target, _ = resolve(properties[field])
        options = properties[field].get("oneOf") or []
        description = target.get("description") or next((o["description"] for o in options if "description" in o), "")
        unit = next((unit for ending, unit in UNITS if field.endswith(ending)), "")
        must = f" {'yes' if field in required else 'no'} |" if optional else ""
        yield f"| `{field}` | {cell(shape(properties[field]))} | {unit} |{must} {cell(description)} |"
    yield ""


def api_page():
    yield "# API reference"
    yield ""
    yield "<!-- Written by docs/api_reference.py from openapi/openapi.json: change these, not this page. -->"
    yield ""
    document = "https://github.com/astranetmon/astranetmon/blob/main/openapi/openapi.json"
    yield f"This page is made of the [OpenAPI document]({document}), which a running service"
    yield "serves at `/api/v1/openapi.json`, and a page that explores it at `/api/v1/docs`. `$KEY` is an API key."
    yield "The answers below the requests are examples: values differ, names and types are what the test of this book"
    yield "finds in real answers."
    yield ""
    yield DOCUMENT["info"]["description"]
    yield ""
    for tag in DOCUMENT["tags"]:
        yield f"## {tag['name'].capitalize() if tag['name'] != 'speedtests' else 'Speed tests'}"
        yield ""
        yield tag["description"]
        yield ""
        for path, operations in DOCUMENT["paths"].items():
            for method, operation in operations.items():
                if operation["tags"][0] == tag["name"]:
                    yield from operation_text(method, path, operation)
    yield "## Records"
    yield ""
    yield "What the fields of answers and bodies are. `null` is unknown; a key of an answer is always there."
    yield ""
    for name, schema in SCHEMAS.items():
        if schema.get("type") == "object":
            yield from record_text(name, schema)


def used_statuses():
    statuses = {}
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status >= "400" and "$ref" in response:
                    statuses.setdefault(status, set()).add(response["$ref"].rsplit("/", 1)[1])
    return statuses


def errors_table():
    yield "| Status | Meaning | Sentence, as an example |"
    yield "| --- | --- | --- |"
    for status, names in sorted(used_statuses().items()):
        for name in sorted(names):
            response = RESPONSES[name]
            content = response.get("content", {}).get("application/json", {})
            sentence = content.get("example", {}).get("error", "")
            yield f"| {status} | {cell(response['description'])} | {cell(code(sentence))} |"


def headers_table():
    yield "| Header | Meaning | Example |"
    yield "| --- | --- | --- |"
    for name, header in HEADERS.items():
        yield f"| `{name}` | {cell(header['description'])} | {cell(code(header['schema']['examples'][0]))} |"


def errors_page():
    """The page with its tables written anew; the rest of it is kept."""
    text = ERRORS_PAGE.read_text()
    for name, table in (("errors", errors_table), ("headers", headers_table)):
        begin, end = f"<!-- {name}: written by docs/api_reference.py -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = before + begin + "\n" + "\n".join(table()) + "\n\n" + end + rest.split(end)[1]
    return text


def main():
    pages = {API_PAGE: "\n".join(api_page()).rstrip() + "\n", ERRORS_PAGE: errors_page()}
    if sys.argv[1:] == ["--check"]:
        different = 0
        for path, text in pages.items():
            stored = path.read_text() if path.exists() else ""
            if stored != text:
                different += 1
                name = str(path.relative_to(DOCS.parent))
                difference = difflib.unified_diff(
                    stored.splitlines(), text.splitlines(), name, "openapi.json says", lineterm=""
                )
                print("\n".join(list(difference)[:40]))
        if different:
            sys.exit("docs/api_reference.py writes these pages anew")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        for path, text in pages.items():
            path.write_text(text)


main()
