// Loads @cdktf/provider-aws from a folder as jsii's kernel does, and prints what
// a program could see of it: how many types, the types named, and their code.
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

const [folder, ...fqns] = process.argv.slice(2);
const pathToFile = path.join(folder, 'node_modules', '@cdktf/provider-aws', '.jsii');
const assemblyBuffer = fs.readFileSync(pathToFile);
const assembly = JSON.parse(assemblyBuffer.toString("utf-8"));
const load = createRequire(path.join(folder, 'here'));
const code = load(load.resolve('@cdktf/provider-aws'));
console.log(JSON.stringify({
  version: assembly.version,
  count: Object.keys(assembly.types).length,
  types: fqns.map((fqn) => assembly.types[fqn] ?? 'none'),
  code: Object.keys(code),
  parsed: JSON.parse('[1]'),
}));
