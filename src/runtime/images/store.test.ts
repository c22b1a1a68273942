import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { FakeRegistry, hostArchitecture, sha256, tarOf } from "./fake-registry.suite.ts";
import {
  hello,
  layerDirectories,
  open,
  pulledLayers,
  registry,
  store,
  temporaries,
  top,
} from "./store-fixture.suite.ts";

describe("pull", () => {
  test("unpacks an image with owners, modes and times, and knows it by every name", async () => {
    const { digest, id } = registry.add("library/app", "latest", {
      layers: [hello],
      config: { Cmd: ["/app"], User: "1000:1000", Env: ["A=b"] },
    });
    const image = await store.pull("app");
    assert.deepEqual(image.repoTags, ["docker.io/library/app:latest"]);
    assert.deepEqual(image.repoDigests, [`docker.io/library/app@${digest}`]);
    assert.deepEqual(image.user, { uid: 1000 });
    assert.deepEqual(image.config, { Cmd: ["/app"], User: "1000:1000", Env: ["A=b"] });
    const { layers } = await store.rootfs(image.id);
    const stats = fs.statSync(join(layers[0]!, "etc/hello"));
    assert.deepEqual(
      [stats.mode & 0o7777, stats.uid, stats.gid, stats.mtimeMs / 1000],
      [0o640, 7, 8, 1_234_567_890],
    );
    const names = ["app", "docker.io/library/app", `app@${digest}`, id, id.slice(7), id.slice(7, 19)];
    for (const name of names) assert.equal((await store.status(name))?.id, id, name);
    assert.equal(await store.status("other"), undefined);
    assert.ok((await store.fsUsage()).usedBytes > 0);
  });

  test("of an unchanged tag is one HEAD request", async () => {
    registry.add("library/app", "latest", { layers: [hello] });
    await store.pull("app");
    registry.requests.length = 0;
    await store.pull("app");
    assert.deepEqual(registry.requests, ["HEAD /v2/library/app/manifests/latest"]);
  });

  test("of a tag that moved gives the tag to the new image, and the old one stays by its digest", async () => {
    const old = registry.add("library/app", "latest", { layers: [hello] });
    await store.pull("app");
    registry.add("library/app", "latest", { layers: [hello, tarOf([{ name: "new" }])] });
    const image = await store.pull("app");
    assert.notEqual(image.id, old.id);
    assert.deepEqual((await store.status(old.id))!.repoTags, []);
    assert.equal((await store.status(`app@${old.digest}`))?.id, old.id);
  });

  test("chooses this machine's manifest from an index", async () => {
    const mine = registry.add("library/app", "mine", { layers: [hello] });
    const other = registry.add("library/app", "other", { layers: [hello], architecture: "s390x" });
    const entry = ({ digest, size, mediaType }: typeof mine, architecture: string) => ({
      digest,
      size,
      mediaType,
      platform: { os: "linux", architecture },
    });
    const type = "application/vnd.oci.image.index.v1+json";
    const manifests = [entry(other, "s390x"), entry(mine, hostArchitecture)];
    const index = registry.addManifest("library/app", "latest", type, { schemaVersion: 2, manifests });
    const image = await store.pull("app");
    assert.equal(image.id, mine.id);
    assert.deepEqual(image.repoDigests, [`docker.io/library/app@${index.digest}`]);
    registry.addManifest("library/app", "foreign", type, {
      schemaVersion: 2,
      manifests: [entry(other, "s390x")],
    });
    await assert.rejects(
      store.pull("app:foreign"),
      /no match for platform in manifest: linux\/\S+ not found/,
    );
  });

  test("of several images at once fetches and unpacks a layer that they share once", async () => {
    const base = tarOf([{ name: "base", content: "x".repeat(100_000) }]);
    for (const name of ["a", "b", "c"]) {
      registry.add(`library/${name}`, "latest", { layers: [base, tarOf([{ name }])] });
    }
    const layers = await Promise.all(["a", "b", "c", "a"].map((name) => pulledLayers(name)));
    assert.equal(new Set(layers.map((of) => of[0])).size, 1);
    const blobRequests = registry.requests.filter((line) => line.includes(sha256(gzipSync(base))));
    assert.equal(blobRequests.length, 1);
    assert.equal(layerDirectories().length, 4);
    assert.deepEqual(temporaries(), []);
    assert.deepEqual(fs.readdirSync(join(top, "images/downloads")), []);
  });

  test("takes zstd and plain layers, whatever their media type says", async () => {
    const zstd = (plain: Buffer) => spawnSync("zstd", ["-qc"], { input: plain }).stdout;
    registry.add("library/zstd", "latest", { layers: [hello], compress: zstd });
    registry.add("library/plain", "latest", {
      layers: [tarOf([{ name: "plain" }])],
      compress: (plain) => plain,
    });
    assert.deepEqual(fs.readdirSync((await pulledLayers("zstd"))[0]!), ["etc"]);
    assert.deepEqual(fs.readdirSync((await pulledLayers("plain"))[0]!), ["plain"]);
  });

  test("says what containerd says of an image that is not there", async () => {
    await assert.rejects(store.pull("nosuch", {}), {
      reason: "ErrImagePull",
      message:
        /^failed to pull and unpack image "docker.io\/library\/nosuch:latest": failed to resolve reference "docker.io\/library\/nosuch:latest": /,
    });
    await assert.rejects(store.pull(`${registry.host}/nosuch:v1`), {
      message: `failed to pull and unpack image "${registry.host}/nosuch:v1": failed to resolve reference "${registry.host}/nosuch:v1": ${registry.host}/nosuch:v1: not found`,
    });
    await assert.rejects(store.pull("Not:A:Name"), { reason: "InvalidImageName" });
    const gone = await new FakeRegistry().start();
    const { host } = gone;
    await gone.stop();
    await assert.rejects(store.pull(`${host}/app`), /dial tcp 127\.0\.0\.1:\d+: connect: connection refused/);
  });

  test("that everyone gave up ends, and leaves nothing", async () => {
    registry.add("library/app", "latest", { layers: [hello] });
    registry.intercept = (req, res) => {
      if (!req.url!.includes("/blobs/")) return false;
      res.writeHead(200, { "content-length": 1000 }).write("never more");
      return true;
    };
    const abort = new AbortController();
    const pull = store.pull("app", { signal: abort.signal });
    while (!registry.requests.some((line) => line.includes("/blobs/"))) await new Promise(setImmediate);
    abort.abort(new Error("enough"));
    await assert.rejects(pull, /enough/);
    registry.intercept = () => false;
    await store.pull("app");
    assert.deepEqual(temporaries(), []);
  });
});

describe("a registry that is not what it should be", () => {
  test("cuts a layer: the download goes on where it stopped", async () => {
    const big = tarOf([{ name: "big", content: "0123456789".repeat(50_000) }]);
    registry.add("library/app", "latest", { layers: [big], compress: (plain) => plain });
    let cuts = 2;
    registry.intercept = (req, res) => {
      const blob = registry.blobs.get(/\/blobs\/(.+?)(\?|$)/.exec(req.url!)?.[1] ?? "");
      if (!blob || blob.length < 100_000 || cuts === 0) return false;
      cuts--;
      const from = Number(/^bytes=(\d+)-/.exec(req.headers.range ?? "")?.[1] ?? 0);
      const rest = { "content-range": `bytes ${from}-${blob.length - 1}/${blob.length}` };
      res.writeHead(from > 0 ? 206 : 200, { "content-length": blob.length - from, ...(from > 0 && rest) });
      res.write(blob.subarray(from, from + 150_000), () => res.destroy());
      return true;
    };
    const [layer] = await pulledLayers("app");
    assert.equal(cuts, 0);
    assert.equal(fs.statSync(join(layer!, "big")).size, 500_000);
  });

  test("lies about a layer: it is fetched once more, and then refused", async () => {
    const { layers } = registry.add("library/app", "latest", { layers: [hello] });
    const digest = layers[0]!.digest;
    const wrong = Buffer.from(registry.blobs.get(digest)!);
    wrong[wrong.length - 10]! ^= 1;
    registry.blobs.set(digest, wrong);
    await assert.rejects(store.pull("app"), /failed commit on ref "layer-sha256:\w+": unexpected digest/);
    assert.equal(registry.requests.filter((line) => line.includes(digest)).length, 2);
    assert.deepEqual([layerDirectories(), temporaries()], [[], []]);
    assert.deepEqual(await store.list(), []);
  });

  test("lies about a manifest, a config or a diff id: refused", async () => {
    const { digest, id } = registry.add("library/app", "latest", { layers: [hello] });
    const manifest = registry.manifests.get(`library/app:${digest}`)!;
    registry.manifests.set(`library/app:${digest}`, { ...manifest, bytes: Buffer.from("{}") });
    await assert.rejects(store.pull("app"), /unexpected digest .* of a manifest/);
    registry.manifests.set(`library/app:${digest}`, manifest);
    registry.blobs.set(id, Buffer.from("{}"));
    await assert.rejects(store.pull("app"), /unexpected digest .* of a blob/);
    registry.add("library/wrong", "latest", { layers: [hello] });
    const config = Buffer.from(
      JSON.stringify({ rootfs: { diff_ids: [`sha256:${"0".repeat(64)}`] }, architecture: hostArchitecture }),
    );
    registry.blobs.set(sha256(config), config);
    const type = "application/vnd.oci.image.manifest.v1+json";
    const blob = gzipSync(hello);
    registry.addManifest("library/wrong", "latest", type, {
      schemaVersion: 2,
      config: {
        mediaType: "application/vnd.oci.image.config.v1+json",
        digest: sha256(config),
        size: config.length,
      },
      layers: [
        { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: sha256(blob), size: blob.length },
      ],
    });
    await assert.rejects(store.pull("wrong"), /wrong diff id calculated on extraction/);
    assert.deepEqual(layerDirectories(), []);
  });

  test("sends more than it said, or too large a manifest: refused", async () => {
    const { layers } = registry.add("library/app", "latest", { layers: [hello] });
    const digest = layers[0]!.digest;
    registry.blobs.set(digest, Buffer.concat([registry.blobs.get(digest)!, Buffer.alloc(100_000)]));
    await assert.rejects(store.pull("app"), /larger than the \d+ bytes that its manifest says/);
    registry.addManifest("library/huge", "latest", "application/json", { filler: "x".repeat(5 << 20) });
    await assert.rejects(store.pull("huge"), /the manifest is larger than 4194304 bytes/);
  });

  test("sends a blob elsewhere: what authorizes is not shown there", async () => {
    registry.add("library/app", "latest", { layers: [hello] });
    const storage = await new FakeRegistry().start();
    for (const [digest, blob] of registry.blobs) storage.blobs.set(digest, blob);
    registry.intercept = (req, res) => {
      if (req.headers.authorization !== `Basic ${Buffer.from("u:p").toString("base64")}`) {
        res.writeHead(401, { "www-authenticate": 'Basic realm="here"' }).end();
        return true;
      }
      if (!req.url!.includes("/blobs/")) return false;
      res.writeHead(307, { location: `http://${storage.host}${req.url}` }).end();
      return true;
    };
    await store.pull(`${registry.host}/library/app`, {
      auth: [{ registry: registry.host, username: "u", password: "p" }],
    });
    assert.ok(storage.requests.length > 0);
    assert.deepEqual(storage.authorizations.filter(Boolean), []);
    await storage.stop();
  });
});

describe("credentials", () => {
  /** A token server that knows `user:right`, beside the registry. */
  function protect() {
    registry.intercept = (req, res) => {
      const url = new URL(req.url!, "http://registry");
      if (url.pathname === "/token") {
        const isRight = req.headers.authorization === `Basic ${Buffer.from("user:right").toString("base64")}`;
        const body = JSON.stringify({ token: "t0k3n", expires_in: 300 });
        res.writeHead(isRight ? 200 : 401).end(isRight ? body : "");
        assert.equal(url.searchParams.get("scope"), "repository:team/app:pull");
        assert.equal(url.searchParams.get("service"), "registry, of sorts");
        return true;
      }
      if (req.headers.authorization === "Bearer t0k3n") return false;
      const realm = `http://${registry.host}/token`;
      const challenge = `Bearer realm="${realm}",service="registry, of sorts",scope="repository:team/app:pull"`;
      res.writeHead(401, { "www-authenticate": challenge }).end();
      return true;
    };
  }

  test("several pull secrets are tried, the best match first, and a token is asked for once", async () => {
    registry.add("team/app", "v1", { layers: [hello] });
    protect();
    const auth = [
      { registry: "elsewhere.example", username: "user", password: "right" },
      { registry: registry.host, username: "user", password: "wrong" },
      { registry: `${registry.host}/team`, username: "user", password: "also wrong" },
      { registry: `http://${registry.host}/`, username: "user", password: "right" },
    ];
    await store.pull(`${registry.host}/team/app:v1`, { auth });
    const tokens = registry.requests.filter((line) => line === "GET /token");
    assert.equal(tokens.length, 3);
  });

  test("without a right one, access is denied in containerd's words", async () => {
    registry.add("team/app", "v1", { layers: [hello] });
    protect();
    await assert.rejects(store.pull(`${registry.host}/team/app:v1`), {
      reason: "ErrImagePull",
      message: /pull access denied, repository does not exist or may require authorization: server message: /,
    });
  });

  test("the registries' file gives them too", async () => {
    registry.add("team/app", "v1", { layers: [hello] });
    protect();
    const auth = { auth: Buffer.from("user:right").toString("base64") };
    const other = await open({
      dir: join(top, "other"),
      registries: { mirrors: {}, configs: { [registry.host]: { auth } } },
    });
    await other.pull(`${registry.host}/team/app:v1`);
  });
});

describe("load", () => {
  test("takes an OCI layout as a directory, as a tar and gzip'd, and docker's archive", async () => {
    const layout = join(top, "layout");
    fs.mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
    const { digest, size, mediaType, id } = registry.add("library/app", "latest", { layers: [hello] });
    for (const [name, blob] of registry.blobs)
      fs.writeFileSync(join(layout, "blobs", name.replace(":", "/")), blob);
    const manifest = registry.manifests.get("library/app:latest")!.bytes;
    fs.writeFileSync(join(layout, "blobs", digest.replace(":", "/")), manifest);
    fs.writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    const annotations = { "org.opencontainers.image.ref.name": "example.org/app:v2" };
    const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size, annotations }] };
    fs.writeFileSync(join(layout, "index.json"), JSON.stringify(index));
    execFileSync("tar", ["-C", layout, "-cf", join(top, "layout.tar"), "."]);
    execFileSync("tar", ["-C", layout, "-czf", join(top, "layout.tar.gz"), "."]);

    const [named] = await store.load(layout);
    assert.deepEqual(named!.repoTags, ["example.org/app:v2"]);
    await store.load(join(top, "layout.tar"), { tag: "tarred" });
    const [image] = await store.load(join(top, "layout.tar.gz"), { tag: "zipped:v3" });
    assert.equal(image!.id, id);
    const tags = ["example.org/app:v2", "docker.io/library/tarred:latest", "docker.io/library/zipped:v3"];
    assert.deepEqual(image!.repoTags, tags);
    assert.deepEqual(temporaries(), []);

    const config = registry.blobs.get(id)!;
    const archive = tarOf([
      { name: "config.json", content: config.toString() },
      { name: "one/layer.tar", content: hello.toString("latin1") },
      {
        name: "manifest.json",
        content: JSON.stringify([
          { Config: "config.json", RepoTags: ["saved:v1"], Layers: ["one/layer.tar"] },
        ]),
      },
    ]);
    fs.writeFileSync(join(top, "saved.tar"), archive);
    const fresh = await open({ dir: join(top, "fresh") });
    const [saved] = await fresh.load(join(top, "saved.tar"));
    assert.equal(saved!.id, id);
    assert.deepEqual(saved!.repoTags, ["docker.io/library/saved:v1"]);
  });

  test("of something else says what is wrong", async () => {
    fs.writeFileSync(join(top, "text"), "hello");
    await assert.rejects(store.load(join(top, "text")), /cannot load .*text: neither an OCI image layout/);
    await assert.rejects(store.load(join(top, "missing")), /cannot load .*missing: ENOENT/);
  });
});

describe("the store", () => {
  test("keeps its images over a restart, and forgets what was half done", async () => {
    const { id } = registry.add("library/app", "latest", { layers: [hello] });
    await store.pull("app");
    await store.close();
    fs.mkdirSync(join(top, "images/layers/0123"));
    fs.mkdirSync(join(top, "images/tmp/left"));
    fs.writeFileSync(join(top, "images/downloads/sha256-half"), "half");
    const again = await open();
    assert.equal((await again.status("app"))?.id, id);
    assert.equal(layerDirectories().length, 1);
    while (temporaries().length > 0) await new Promise(setImmediate);
    assert.deepEqual(fs.readdirSync(join(top, "images/downloads")), []);
  });

  test("removes an image's own layers, keeps shared ones, and refuses while it is in use", async () => {
    const used = new Set<string>();
    const guarded = await open({ dir: join(top, "guarded"), inUse: () => used });
    registry.add("library/a", "latest", { layers: [hello, tarOf([{ name: "a" }])] });
    registry.add("library/b", "latest", { layers: [hello, tarOf([{ name: "b" }])] });
    const a = await guarded.pull("a");
    const b = await guarded.pull("b");
    used.add(a.id);
    await assert.rejects(guarded.remove("a"), /image "a" is in use by a container/);
    used.clear();
    await guarded.remove("a");
    await guarded.remove("a");
    assert.deepEqual(
      (await guarded.list()).map((image) => image.id),
      [b.id],
    );
    const left = fs.readdirSync(join(top, "guarded/layers"));
    assert.equal(left.length, 2);
    await assert.rejects(guarded.rootfs(a.id), { reason: "NotFound" });
  });
});
