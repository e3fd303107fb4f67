"""The files of docs/recipes do against a running service what their pages promise."""

import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request

import jinja2
import yaml

import pages

RECIPES = pages.BOOK / "recipes"
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url, headers):
    """Status and JSON of an answer."""
    try:
        with NO_PROXY.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or "null")


class HomeYaml(yaml.SafeLoader):
    """Home Assistant's YAML, with the one secret that the recipe has."""


def home_assistant(url, key):
    """Each request of the sensors is made, and each template read from its answer."""
    HomeYaml.add_constructor("!secret", lambda loader, node: {"astranetmon_authorization": f"Bearer {key}"}[node.value])
    text = (RECIPES / "home-assistant.yaml").read_text().replace("https://monitor.example.com", url)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    sensors = 0
    for resource in yaml.load(text, Loader=HomeYaml)["rest"]:
        query = urllib.parse.urlencode(resource.get("params", {}))
        status, answer = get(resource["resource"] + ("?" + query if query else ""), resource["headers"])
        if status != 200:
            yield f"Home Assistant: {resource['resource']} answers {status}: {answer}"
            continue
        for kind, values in (("sensor", None), ("binary_sensor", ("True", "False"))):
            for sensor in resource.get(kind, []):
                sensors += 1
                try:
                    state = environment.from_string(sensor["value_template"]).render(value_json=answer)
                except jinja2.TemplateError as error:
                    yield f"Home Assistant: {sensor['name']}: {error}"
                    continue
                if values and state not in values:
                    yield f"Home Assistant: {sensor['name']} is {state!r}, and neither True nor False"
                if "unit_of_measurement" in sensor and not re.fullmatch(r"-?\d+(\.\d+)?", state):
                    yield f"Home Assistant: {sensor['name']} is {state!r}, and no number"
                if "availability" in sensor:
                    available = environment.from_string(sensor["availability"]).render(value_json=answer)
                    if available != "True":
                        yield f"Home Assistant: {sensor['name']} is not available: {available!r}"
    print(f"Home Assistant: {sensors} sensors read from real answers")


def notebook(url, key):
    """The cells run in order, in one namespace, as Jupyter runs them."""
    os.environ["ASTRANETMON_SERVER"], os.environ["ASTRANETMON_API_KEY"] = url, key
    os.environ["no_proxy"] = "127.0.0.1"
    cells = json.loads((RECIPES / "fleet.ipynb").read_text())["cells"]
    namespace, ran = {"__name__": "__main__", "display": print}, 0
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            try:
                exec(compile("".join(cell["source"]), f"fleet.ipynb, cell {number + 1}", "exec"), namespace)
            except Exception as error:
                yield f"fleet.ipynb: cell {number + 1}: {type(error).__name__}: {error}"
                return
            ran += 1
    frame = namespace.get("per_day")
    if frame is None or frame.empty:
        yield "fleet.ipynb: per_day has no rows"
    print(f"notebook: {ran} cells ran")


def grafana(url, key):
    """The data source is asked as Grafana asks it: its own test, the variables and each panel of the dashboard."""
    os.environ["ASTRANETMON_API_KEY"] = key
    text = (RECIPES / "grafana" / "datasource.yaml").read_text()
    if text not in (RECIPES / "grafana.md").read_text():
        yield "grafana.md shows another datasource.yaml than there is"
    source = yaml.safe_load(text.replace("https://monitor.example.com", url))["datasources"][0]
    name, value = source["jsonData"]["httpHeaderName1"], source["secureJsonData"]["httpHeaderValue1"]
    headers = {name: re.sub(r"\$\{?(\w+)\}?", lambda match: os.environ[match.group(1)], value)}
    providers = yaml.safe_load((RECIPES / "grafana" / "dashboards.yaml").read_text())["providers"]
    if not providers[0]["options"]["path"]:
        yield "grafana/dashboards.yaml names no folder"
    dashboard = json.loads((RECIPES / "grafana" / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        if panel["datasource"]["uid"] != source["uid"]:
            yield f"Grafana: the panel {panel['title']} reads another data source than the provisioned one"

    def ask(path, **parameters):
        return get(f"{source['url']}/api/v1/{path}?" + urllib.parse.urlencode(parameters), headers)

    status, answer = ask("query", query="1+1")
    if status == 404:
        print("Grafana: /prometheus is not yet served; its dashboard was read and not tried")
        return
    if status != 200 or answer.get("status") != "success":
        yield f"Grafana: the data source's own test (1+1) is answered {status}: {answer}"
    end = int(time.time())
    tried = 0
    for variable in dashboard["templating"]["list"]:
        label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
        status, answer = ask(f"label/{label.group(2)}/values", **{"match[]": label.group(1)})
        if status != 200 or not answer["data"]:
            yield f"Grafana: the variable {variable['name']} has no values: {status} {answer}"
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$agent", ".+").replace("$__rate_interval", "5m")
            if target.get("instant"):
                status, answer = ask("query", query=expression, time=end)
            else:
                status, answer = ask("query_range", query=expression, start=end - 6 * 3600, end=end, step=60)
            tried += 1
            if status != 200 or answer["status"] != "success" or not answer["data"]["result"]:
                yield f"Grafana: {panel['title']}: {expression} is answered {status}: {str(answer)[:300]}"
                continue
            labels = answer["data"]["result"][0]["metric"]
            for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")):
                if label not in labels:
                    yield f"Grafana: {panel['title']}: its legend has {label}, which the answer lacks: {labels}"
    print(f"Grafana: {tried} queries of the dashboard answered")


def check(url, key):
    return [failure for recipe in (home_assistant, notebook, grafana) for failure in recipe(url, key)]
