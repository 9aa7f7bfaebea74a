// The OpenFeature web SDK with its OFREP provider, against FLAGS_URL; sees a change of FLAGS_FILE by
// an event, with no timer.
import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { EventSource } from 'eventsource';

globalThis.EventSource = EventSource;
const kept = new Map();
globalThis.localStorage = {
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, value) => void kept.set(key, String(value)),
  removeItem: (key) => void kept.delete(key),
};
const { OpenFeature, ProviderEvents } = await import('@openfeature/web-sdk');
const { OFREPWebProvider } = await import('@openfeature/ofrep-web-provider');

const headers = [['Authorization', `Bearer ${process.env.FLAGS_TOKEN}`]];
await OpenFeature.setContext({ targetingKey: 'u1', tier: 'tin' });
const provider = new OFREPWebProvider({ baseUrl: process.env.FLAGS_URL, headers, pollInterval: 0, cacheMode: 'disabled' });
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
const seen = (it) => [it.value, it.variant, it.reason, it.errorCode];
const expect = (details, ...wanted) => assert.deepEqual(seen(details), wanted, details.flagKey);

expect(client.getStringDetails('color', 'x'), 'red', 'red', 'DEFAULT', undefined);
expect(client.getBooleanDetails('team/new-checkout', true), false, 'off', 'STATIC', undefined);
expect(client.getNumberDetails('price', 0), 10, 'full', 'STATIC', undefined);
expect(client.getObjectDetails('layout', {}), { columns: 3 }, 'wide', 'STATIC', undefined);
assert.equal(client.getBooleanDetails('gone', true).value, true);
assert.equal(client.getBooleanDetails('gone', true).reason, 'DISABLED');
assert.equal(client.getStringDetails('own-default', 'mine').value, 'mine');
assert.equal(client.getBooleanDetails('nope', true).errorCode, 'FLAG_NOT_FOUND');

// Another attribute of the same user is another answer: the tag covers the whole context.
await OpenFeature.setContext({ targetingKey: 'u1', tier: 'gold' });
expect(client.getStringDetails('color', 'x'), 'blue', 'blue', 'TARGETING_MATCH', undefined);
await OpenFeature.setContext({ targetingKey: 'u1', tier: 'tin' });

// A change comes by itself.
const changed = new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error('no change within 10 s')), 10_000).unref();
  client.addHandler(ProviderEvents.ConfigurationChanged, resolve);
});
await new Promise((resolve) => setTimeout(resolve, 500)); // its event source connects
const file = process.env.FLAGS_FILE;
const flags = JSON.parse(readFileSync(file, 'utf8'));
flags.flags.color.defaultVariant = 'blue';
writeFileSync(`${file}.new`, JSON.stringify(flags));
renameSync(`${file}.new`, file);
const begin = Date.now();
await changed;
assert.equal(client.getStringValue('color', 'x'), 'blue');
console.log(`JavaScript, web: 10 checks passed; a change of the file was seen after ${Date.now() - begin} ms`);
await OpenFeature.close();
process.exit(0);
