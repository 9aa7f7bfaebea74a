// The OpenFeature server SDK of JavaScript with its OFREP provider, against FLAGS_URL.
import assert from 'node:assert/strict';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

const headers = [['Authorization', `Bearer ${process.env.FLAGS_TOKEN}`]];
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: process.env.FLAGS_URL, headers }));
const client = OpenFeature.getClient();
const gold = { targetingKey: 'u1', tier: 'gold' };
const tin = { targetingKey: 'u1', tier: 'tin' };

const seen = (it) => [it.value, it.variant, it.reason, it.errorCode];
const expect = (details, ...wanted) => assert.deepEqual(seen(details), wanted, details.flagKey);

expect(await client.getStringDetails('color', 'x', gold), 'blue', 'blue', 'TARGETING_MATCH', undefined);
expect(await client.getStringDetails('color', 'x', tin), 'red', 'red', 'DEFAULT', undefined);
expect(await client.getBooleanDetails('team/new-checkout', true, tin), false, 'off', 'STATIC', undefined);
expect(await client.getNumberDetails('price', 0, tin), 10, 'full', 'STATIC', undefined);
expect(await client.getNumberDetails('most', 0, tin), 10, 'many', 'STATIC', undefined);
expect(await client.getObjectDetails('layout', {}, tin), { columns: 3 }, 'wide', 'STATIC', undefined);
expect(await client.getBooleanDetails('nope', true, tin), true, undefined, 'ERROR', 'FLAG_NOT_FOUND');
expect(await client.getBooleanDetails('broken', true, tin), true, undefined, 'ERROR', 'PARSE_ERROR');
// This provider (0.1.3) takes an answer without a value for an error, whatever the server sends; the
// application has its own default all the same.
for (const [key, fallback] of [['gone', true], ['own-default', false]]) {
  assert.equal((await client.getBooleanDetails(key, fallback, tin)).value, fallback, key);
}
console.log('JavaScript, server: 10 checks passed');
await OpenFeature.close();
