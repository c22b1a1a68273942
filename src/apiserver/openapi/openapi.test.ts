import assert from "node:assert/strict";
import { test } from "node:test";
import protobuf from "protobufjs";
import { builtinSchemas, type Kind } from "../../api/index.ts";
import { OpenApi, openApiV2FormFor } from "./index.ts";

const kind = (rest: Partial<Kind>): Kind => ({
  group: "",
  version: "v1",
  kind: "Pod",
  resource: "pods",
  singular: "pod",
  shortNames: [],
  categories: [],
  scope: "Namespaced",
  schema: "core/v1.Pod",
  hasStatus: true,
  columns: [],
  strategy: { tracksGeneration: true, validate: () => [] },
  ...rest,
});
const pod = kind({ subresources: ["log", "exec", "eviction", "binding", "ephemeralcontainers"] });
const node = kind({ kind: "Node", resource: "nodes", scope: "Cluster", schema: "core/v1.Node" });
const deployment = kind({
  group: "apps",
  kind: "Deployment",
  resource: "deployments",
  schema: "apps/v1.Deployment",
  scale: { specReplicas: () => 1, statusReplicas: () => 1, selector: () => "", setReplicas: () => {} },
});

function openApi(kinds: Kind[] = [pod, node, deployment]) {
  const describe = (type: string, field?: string) =>
    type === "core/v1.Container" && field === "image" ? "What is run." : undefined;
  return new OpenApi({ kinds: () => kinds, schemas: builtinSchemas, describe });
}
const parse = ({ bytes }: { bytes: Buffer }) => JSON.parse(bytes.toString());

/** Every `$ref` in a document has its target. */
function assertRefsResolve(document: any) {
  const visit = (value: any): void => {
    if (typeof value !== "object" || value === null) return;
    if (typeof value.$ref === "string") {
      const target = value.$ref
        .slice(2)
        .split("/")
        .reduce((at: any, key: string) => at?.[key], document);
      assert.ok(target, value.$ref);
    }
    for (const each of Object.values(value)) visit(each);
  };
  visit(document);
}

test("Swagger 2.0 has each kind's paths and definitions, and nothing dangles", async () => {
  const document = parse(await openApi().v2("json"));
  assertRefsResolve(document);
  const container = document.definitions["io.k8s.api.core.v1.Container"];
  assert.deepEqual(container.properties.ports, {
    type: "array",
    items: { $ref: "#/definitions/io.k8s.api.core.v1.ContainerPort" },
    "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
    "x-kubernetes-list-type": "map",
    "x-kubernetes-patch-merge-key": "containerPort",
    "x-kubernetes-patch-strategy": "merge",
  });
  assert.deepEqual(container.required, ["name"]);
  assert.equal(container.properties.image.description, "What is run.");
  assert.deepEqual(document.definitions["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"], [
    { group: "", kind: "Pod", version: "v1" },
  ]);
  const item = document.paths["/api/v1/namespaces/{namespace}/pods/{name}"];
  assert.ok(item.patch.consumes.includes("application/strategic-merge-patch+json"));
  assert.ok(item.patch.parameters.some((parameter: any) => parameter.name === "dryRun"));
  assert.ok(document.paths["/api/v1/pods"].get);
  assert.ok(document.paths["/api/v1/nodes/{name}/status"].put);
  assert.equal(
    document.paths["/api/v1/namespaces/{namespace}/pods/{name}/eviction"].post[
      "x-kubernetes-group-version-kind"
    ].kind,
    "Eviction",
  );
});

test("OpenAPI 3.0 is one document a group and version, under the hash the index names", async () => {
  const served = openApi();
  const index = parse(await served.v3Index());
  assert.deepEqual(Object.keys(index.paths), ["api/v1", "apis/apps/v1"]);
  for (const path of Object.keys(index.paths)) {
    const document = (await served.v3(path))!;
    assert.ok(index.paths[path].serverRelativeURL.endsWith(`?hash=${document.etag.slice(1, -1)}`));
    assertRefsResolve(parse(document));
  }
  const apps = parse((await served.v3("apis/apps/v1"))!);
  const { properties } = apps.components.schemas["io.k8s.api.apps.v1.DeploymentSpec"];
  assert.deepEqual(properties.strategy, {
    allOf: [{ $ref: "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy" }],
    default: {},
    "x-kubernetes-patch-strategy": "retainKeys",
  });
  assert.equal(await served.v3("apis/none/v1"), undefined);
});

test("operation ids are unique", async () => {
  const { paths } = parse(await openApi().v2("json"));
  const ids = Object.values<any>(paths).flatMap((path) =>
    Object.values<any>(path).flatMap((operation) => operation.operationId ?? []),
  );
  assert.equal(new Set(ids).size, ids.length);
});

test("a change of the kinds changes the documents and their tags", async () => {
  const kinds = [pod];
  const served = openApi(kinds);
  const before = await served.v2("json");
  assert.equal(await served.v2("json"), before);
  kinds.push(deployment);
  served.invalidate();
  const after = await served.v2("json");
  assert.notEqual(after.etag, before.etag);
  assert.ok(parse(after).paths["/apis/apps/v1/namespaces/{namespace}/deployments"]);
});

/** The part of gnostic's messages that kubectl reads. */
const gnostic = protobuf.parse(
  `syntax = "proto3";
  message Document { string swagger = 1; Info info = 2; Paths paths = 8; Definitions definitions = 9; }
  message Info { string title = 1; string version = 2; }
  message Paths { repeated NamedPathItem path = 2; }
  message NamedPathItem { string name = 1; PathItem value = 2; }
  message PathItem { Operation get = 2; Operation patch = 8; repeated ParametersItem parameters = 9; }
  message Operation { repeated string consumes = 7; repeated ParametersItem parameters = 8; Responses responses = 9; repeated NamedAny vendor_extension = 13; }
  message Responses { repeated NamedResponseValue response_code = 1; }
  message NamedResponseValue { string name = 1; ResponseValue value = 2; }
  message ResponseValue { Response response = 1; }
  message Response { string description = 1; SchemaItem schema = 2; }
  message SchemaItem { Schema schema = 1; }
  message ParametersItem { Parameter parameter = 1; }
  message Parameter { BodyParameter body_parameter = 1; NonBodyParameter non_body_parameter = 2; }
  message BodyParameter { string name = 2; bool required = 4; Schema schema = 5; }
  message NonBodyParameter { Query query_parameter_sub_schema = 3; Path path_parameter_sub_schema = 4; }
  message Query { string in = 2; string name = 4; string type = 6; bool unique_items = 20; }
  message Path { bool required = 1; string in = 2; string name = 4; string type = 5; bool unique_items = 19; }
  message Definitions { repeated NamedSchema additional_properties = 1; }
  message NamedSchema { string name = 1; Schema value = 2; }
  message Schema { string reference = 1; string format = 2; repeated string required = 19; Additional additional_properties = 21;
    TypeItem type = 22; Items items = 23; Definitions properties = 25; repeated NamedAny vendor_extension = 31; }
  message Additional { Schema schema = 1; }
  message TypeItem { repeated string value = 1; }
  message Items { repeated Schema schema = 1; }
  message NamedAny { string name = 1; Any value = 2; }
  message Any { string yaml = 2; }`,
).root;

test("Swagger as protobuf is what older kubectl reads", async () => {
  const served = openApi();
  const { bytes } = await served.v2("protobuf");
  const type = gnostic.lookupType("Document");
  const document: any = type.toObject(type.decode(bytes));
  const json = parse(await served.v2("json"));
  assert.equal(document.swagger, "2.0");
  const definitions = new Map<string, any>(
    document.definitions.additionalProperties.map((entry: any) => [entry.name, entry.value]),
  );
  assert.deepEqual([...definitions.keys()], Object.keys(json.definitions));
  const container = definitions.get("io.k8s.api.core.v1.Container");
  const ports = container.properties.additionalProperties.find((entry: any) => entry.name === "ports").value;
  assert.deepEqual(ports.type.value, ["array"]);
  assert.equal(ports.items.schema[0].reference, "#/definitions/io.k8s.api.core.v1.ContainerPort");
  assert.deepEqual(
    ports.vendorExtension.find((entry: any) => entry.name === "x-kubernetes-list-map-keys").value.yaml,
    '["containerPort","protocol"]',
  );
  const path = document.paths.path.find(
    (each: any) => each.name === "/api/v1/namespaces/{namespace}/pods/{name}",
  ).value;
  assert.deepEqual(path.parameters[0].parameter.nonBodyParameter.pathParameterSubSchema, {
    required: true,
    in: "path",
    name: "name",
    type: "string",
    uniqueItems: true,
  });
  const names = path.patch.parameters.map(
    ({ parameter }: any) =>
      (parameter.bodyParameter ?? parameter.nonBodyParameter.queryParameterSubSchema).name,
  );
  assert.ok(names.includes("body") && names.includes("fieldValidation"));
  assert.equal(
    path.get.responses.responseCode[0].value.response.schema.schema.reference,
    "#/definitions/io.k8s.api.core.v1.Pod",
  );
});

test("the form of Swagger follows the Accept header", () => {
  assert.equal(openApiV2FormFor("application/com.github.proto-openapi.spec.v2@v1.0+protobuf"), "protobuf");
  assert.equal(openApiV2FormFor("application/json, */*"), "json");
  assert.equal(openApiV2FormFor(undefined), "json");
});
