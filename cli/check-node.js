// Runs before every script, in plain JavaScript: an older Node would stop at the first type annotation with a message that helps nobody.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `error[old-node]: Bitloom needs Node 22.18 or newer, this is ${process.versions.node}\n` +
      "help: `npm ci` installs a fitting Node in this folder, and npm's scripts run on it (`npm start`, `npm test`, `npm run bitloom -- doctor`)\n" +
      "help: where npm was told to skip install scripts or development dependencies, run `npm rebuild node` or `npm ci --include=dev`\n",
  );
  process.exit(2);
}
