// A shop that asks which checkout each user gets, and tells what came of it.
//
//     npm install
//     FLAGS_URL=http://127.0.0.1:8016 node shop.mjs
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

const url = process.env.FLAGS_URL ?? 'http://127.0.0.1:8016';
const token = process.env.FLAGS_TOKEN; // as in the file of `cutover flag serve --tokens`
const headers = token ? [['Authorization', `Bearer ${token}`]] : [];

// Tells Cutover who saw what, and what came of it. In a shop: in the background, many at once.
async function tell(...events) {
  const answer = await fetch(`${url}/v1/track`, {
    method: 'POST',
    headers: [...headers, ['Content-Type', 'application/json']],
    body: JSON.stringify({ events }),
  });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
}

await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url, headers }));
const client = OpenFeature.getClient();

for (const [user, plan, pays] of [['ann', 'gold', 20], ['bob', 'tin', 0], ['cem', 'tin', 5], ['dia', 'gold', 0]]) {
  const got = await client.getBooleanDetails('new-checkout', false, { targetingKey: user, plan });
  console.log(`${user}: ${got.value ? 'new' : 'old'} checkout (${got.variant})`);
  // Once the user really sees it; attributes are what reports can split by.
  await tell({ kind: 'exposure', targetingKey: user, flag: 'new-checkout', variant: got.variant,
    attributes: { plan } });
  if (pays) await tell({ kind: 'outcome', targetingKey: user, name: 'paid', value: pays });
}
await OpenFeature.close();
