// Bundles the tracker into dist/ and, for the stacks, into build/tracker. Fails where the script is too large.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";

const MAX_GZIP_BYTES = 6144;

// Names of our own objects' methods: none is a browser's, in the settings, in the contract or in what is stored.
const mangled = /^(read|write|drop|names|keep|kept|put|take|sent|finish|rewrite|added|retry|hide|texts|tell|view|percent|offset|visitor|person|response)$/;

const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const common = { bundle: true, target: "es2020", charset: "utf8", legalComments: "none", minifySyntax: true, sourcemap: true, write: false };

/** Bundles with esbuild, then minifies once more: a tenth of the script. */
async function bundle(entry, file, format, globalName) {
  const { outputFiles } = await build({ ...common, entryPoints: [entry], outfile: `dist/${file}`, format, globalName, mangleProps: mangled });
  const text = (name) => outputFiles.find((f) => f.path.endsWith(name)).text;
  const { code, map } = await minify(text(file), {
    ecma: 2020,
    module: format === "esm",
    toplevel: true,
    compress: { passes: 4, inline: 1, booleans_as_integers: true, pure_getters: true, keep_fargs: false, unsafe_arrows: true, unsafe_methods: true },
    sourceMap: { content: text(`${file}.map`), filename: file },
  });
  writeFileSync(`dist/${file}`, code + "\n");
  writeFileSync(`dist/${file}.map`, map);
}

mkdirSync("dist", { recursive: true });
await bundle("src/script.ts", "s.js", "iife");
await bundle("src/stub.ts", "stub.js", "iife");
await bundle("src/adapters/shopware-script.ts", "shopware.js", "iife");
await bundle("src/index.ts", "index.mjs", "esm");
await bundle("src/adapters/shopware.ts", "shopware.mjs", "esm");

const read = (file) => readFileSync(`dist/${file}`);
const integrity = (file) => "sha384-" + createHash("sha384").update(read(file)).digest("base64");
const gzipped = (file) => gzipSync(read(file), { level: 9 }).length;
const release = {
  version,
  sha384: integrity("s.js"),
  bytes: read("s.js").length,
  gzip_bytes: gzipped("s.js"),
};
if (release.gzip_bytes > MAX_GZIP_BYTES) {
  console.error(`s.js has ${release.gzip_bytes} bytes gzipped, at most ${MAX_GZIP_BYTES} are allowed`);
  process.exit(1);
}
const folder = "../../../build/tracker";
mkdirSync(folder, { recursive: true });
for (const file of ["s.js", "s.js.map", "stub.js", "shopware.js"]) copyFileSync(`dist/${file}`, `${folder}/${file}`);
writeFileSync(`${folder}/integrity.json`, JSON.stringify(release, null, 2) + "\n");
console.log(`tracker ${version}: ${release.bytes} bytes, ${release.gzip_bytes} gzipped`);
