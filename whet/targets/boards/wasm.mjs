// Call run() of a module under Node and print what it prints; the exit code is what it returns.
import fs from 'node:fs';

let memory;
const print = (at) => {
  const bytes = new Uint8Array(memory.buffer);
  let end = at;
  while (bytes[end]) end++;
  process.stdout.write(Buffer.from(bytes.subarray(at, end)));
};
const image = fs.readFileSync(process.argv[2]);
const { instance } = await WebAssembly.instantiate(image, { board: { print } });
memory = instance.exports.memory;
process.exitCode = instance.exports.run();
