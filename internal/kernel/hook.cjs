'use strict';
// Loaded by `node --require` into the jsii kernel, where it makes
// @cdktf/provider-aws load by parts; kernel.go says why. Any other Node process
// that inherits NODE_OPTIONS pays a string comparison per require and file read.
(() => {
  const loaded = Symbol.for('shopstream.kernel');
  if (globalThis[loaded] || process.env.SHOPSTREAM_KERNEL === 'plain') return;
  globalThis[loaded] = true;

  const fs = require('fs');
  const path = require('path');
  const Module = require('module');

  const NAME = '@cdktf/provider-aws';
  const INDEX = path.join('node_modules', NAME, 'lib', 'index.js');
  const ASSEMBLY = path.join('node_modules', NAME, '.jsii');
  const told = new Set();

  // The code: beside its index, which loads every resource, the package has one
  // that loads a resource when it is first named.
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (...args) {
    const file = resolve.apply(this, args);
    if (typeof file !== 'string' || !file.endsWith(INDEX)) return file;
    const lazy = path.join(path.dirname(file), 'lazy-index.js');
    if (!fs.existsSync(lazy)) {
      warn(`${NAME} has no lazy-index.js`);
      return file;
    }
    trace('code lazy');
    return lazy;
  };

  // The types: the kernel parses what it reads from .jsii at once, and no text
  // parses to an object that fills itself, so the parse is answered as well.
  const EXPECTED = ['fs.readFileSync(pathToFile);', 'JSON.parse(assemblyBuffer.toString("utf-8"))'];
  const read = fs.readFileSync;
  fs.readFileSync = function (file, ...options) {
    if (typeof file !== 'string' || !file.endsWith(ASSEMBLY) || options.length) return read.call(this, file, ...options);
    const assembly = load(file);
    if (!assembly) return read.call(this, file);
    const text = JSON.stringify(NAME);
    const parse = JSON.parse;
    JSON.parse = (...args) => {
      if (args[0] !== text) return parse(...args);
      JSON.parse = parse;
      return assembly;
    };
    return Buffer.from(text);
  };

  // load answers the assembly in file: from its parts or, before there are any,
  // whole, leaving the parts for the next start. They lie in jsii's cache, in
  // the folder named after the package's version and hash, and go when it goes.
  function load(file) {
    try {
      const folder = path.dirname(file);
      if (!fs.lstatSync(folder).isSymbolicLink()) return; // jsii's cache is off
      const kernel = read(process.argv[1], 'latin1');
      if (!EXPECTED.every((call) => kernel.includes(call))) {
        warn('this jsii kernel reads assemblies in another way');
        return;
      }
      const parts = path.join(fs.realpathSync(folder), '.jsii.shopstream-1');
      return open(parts, file) || split(parts, file);
    } catch (err) {
      warn(err.message);
    }
  }

  // The parts file: a header (the index's hash and length), the index (the
  // assembly, with each type replaced by its part's number, and the parts'
  // places), and for each submodule one part: its types.
  const HEADER = 80;

  function split(parts, file) {
    const whole = JSON.parse(read(file, 'utf8'));
    if (whole.name !== NAME || !whole.types) throw new Error(`${file} isn't an assembly of this kind`);
    const submodules = new Map();
    for (const [fqn, type] of Object.entries(whole.types)) {
      const name = fqn.split('.', 2)[1];
      if (!submodules.has(name)) submodules.set(name, {});
      submodules.get(name)[fqn] = type;
    }
    const numbers = {};
    const places = [];
    const texts = [];
    let at = 0;
    for (const types of submodules.values()) {
      for (const fqn of Object.keys(types)) numbers[fqn] = places.length;
      const text = Buffer.from(JSON.stringify(types));
      places.push([at, text.length, hash(text)]);
      texts.push(text);
      at += text.length;
    }
    const index = Buffer.from(JSON.stringify({ assembly: { ...whole, types: numbers }, places }));
    const header = Buffer.from(`${hash(index)} ${index.length}`.padEnd(HEADER));
    const tmp = `${parts}.${process.pid}-${Date.now()}`;
    try {
      fs.writeFileSync(tmp, Buffer.concat([header, index, ...texts]), { flag: 'wx' });
      fs.renameSync(tmp, parts);
      trace('types split');
    } catch (err) {
      fs.rmSync(tmp, { force: true });
      warn(err.message);
    }
    return whole;
  }

  function open(parts, file) {
    if (!fs.existsSync(parts)) return;
    try {
      const fd = fs.openSync(parts, 'r'); // for as long as the kernel runs
      const [sum, length] = slice(fd, 0, HEADER).toString().split(' ');
      const start = HEADER + Number(length);
      const { assembly, places } = JSON.parse(slice(fd, HEADER, Number(length), sum));
      const part = (at, length, sum) => {
        try {
          return JSON.parse(slice(fd, start + at, length, sum));
        } catch (err) {
          discard(parts, err);
          return JSON.parse(read(file, 'utf8')).types;
        }
      };
      assembly.types = new Proxy(assembly.types, {
        get(types, fqn) {
          if (typeof types[fqn] === 'number') Object.assign(types, part(...places[types[fqn]]));
          return types[fqn];
        },
      });
      trace('types lazy');
      return assembly;
    } catch (err) {
      discard(parts, err);
    }
  }

  function slice(fd, at, length, sum) {
    const bytes = Buffer.alloc(length);
    fs.readSync(fd, bytes, 0, length, at);
    if (sum !== undefined && hash(bytes) !== sum) throw new Error('wrong hash');
    return bytes;
  }

  function hash(bytes) {
    return require('crypto').createHash('sha256').update(bytes).digest('hex');
  }

  function discard(parts, err) {
    try { fs.rmSync(parts, { force: true, recursive: true }); } catch {}
    warn(`${parts}: ${err.message}`);
  }

  function warn(why) {
    if (told.has(why)) return;
    told.add(why);
    trace('plain: ' + why);
    process.stderr.write(`shopstream: this start of the kernel is slow: ${why}\n`);
  }

  // SHOPSTREAM_KERNEL_TRACE names a file that tells tests what took effect.
  function trace(line) {
    const file = process.env.SHOPSTREAM_KERNEL_TRACE;
    try { if (file) fs.appendFileSync(file, line + '\n'); } catch {}
  }
})();
