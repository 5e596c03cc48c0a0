// An OpenID provider on 127.0.0.1 that looks like a realm of Keycloak: a certified implementation (`oidc-provider`) with Keycloak's
// paths and access tokens of Keycloak's shape. It prints its issuer, and then an answer to each order, a line of JSON each:
//
//   {"token": {"claims": {…}, "alg": "RS256"}}   a token of its token endpoint; claims replace Keycloak's, null leaves one out
//   {"rotate": {"keep": true}}                   from now on another key signs; the old one stays published, or goes
//   {"stop": {}}, {"start": {}}                  nobody answers at its address; it is there again
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { Provider } from "oidc-provider";

const REALM = "/realms/jan";
const API = "urn:api";
const CERTS = "/protocol/openid-connect/certs";
const TOKEN = "/protocol/openid-connect/token";

const facts = console.log;
// What the library notes is no fact.
console.info = console.warn = (...words) => console.error(...words);

const jwk = (type, options, use, alg) => {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use, ...(alg && { alg }) };
};
const signing = () => jwk("rsa", { modulusLength: 2048 }, "sig");
// As in Keycloak's document: keys that do not sign, and kinds that the hub does not take, stand beside the one that does.
const beside = [jwk("rsa", { modulusLength: 2048 }, "enc", "RSA-OAEP"), jwk("ec", { namedCurve: "P-384" }, "sig", "ES384")];
const client = {
  client_id: "app",
  client_secret: "the secret of the client",
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
};

let port = 0;
let signer = signing();
let wanted = {};
let provider;

/** A provider with these keys; the first of a kind signs. */
function renew(published) {
  provider = new Provider(`http://127.0.0.1:${port}${REALM}`, {
    clients: [client],
    jwks: { keys: [...published, ...beside] },
    routes: { jwks: CERTS, token: TOKEN },
    ttl: { ClientCredentials: 300 },
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "PS256", "ES384"], requestObjectEncryptionAlgValues: ["RSA-OAEP"] },
    features: {
      encryption: { enabled: true },
      requestObjects: { enabled: true },
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => API,
        getResourceServerInfo: () => ({
          scope: "email profile",
          audience: "account",
          accessTokenFormat: "jwt",
          // The RSA key signs by any of RSA's algorithms; the curve has a key of its own.
          jwt: { sign: { alg: wanted.alg, ...(!wanted.alg.startsWith("ES") && { kid: signer.kid }) } },
        }),
      },
    },
    formats: {
      customizers: {
        jwt(_, token, jwt) {
          jwt.header = { ...jwt.header, typ: "JWT" };
          const { payload } = jwt;
          delete payload.client_id;
          Object.assign(payload, {
            sub: "8d3f9c0e-5f6a-4b7e-9a51-3c2b1d0e4f5a",
            typ: "Bearer",
            azp: token.clientId,
            sid: randomUUID(),
            acr: "1",
            realm_access: { roles: ["offline_access", "uma_authorization"] },
            resource_access: { account: { roles: ["manage-account"] } },
            preferred_username: "ann",
            email: "ann@example.com",
            email_verified: true,
          });
          for (const [name, value] of Object.entries(wanted.claims ?? {})) {
            if (value === null) delete payload[name];
            else payload[name] = value;
          }
        },
      },
    },
  });
  provider.on("server_error", (_, error) => console.error(error));
}

const server = createServer((request, response) => {
  request.originalUrl = request.url;
  if (!request.url.startsWith(`${REALM}/`)) {
    response.writeHead(404).end();
    return;
  }
  request.url = request.url.slice(REALM.length);
  provider.callback()(request, response);
});
const start = () => new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
const stop = () =>
  new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });

const orders = {
  async token(order) {
    wanted = order;
    const { client_id, client_secret } = client;
    const body = new URLSearchParams({ grant_type: "client_credentials", client_id, client_secret, scope: "email profile" });
    const answer = await fetch(`http://127.0.0.1:${port}${REALM}${TOKEN}`, { method: "POST", body, headers: { connection: "close" } });
    return answer.json();
  },
  async rotate({ keep }) {
    const old = signer;
    signer = signing();
    renew(keep ? [signer, old] : [signer]);
    return { kid: signer.kid };
  },
  async stop() {
    await stop();
    return {};
  },
  async start() {
    await start();
    return {};
  },
};

await start();
port = server.address().port;
renew([signer]);
const issuer = `http://127.0.0.1:${port}${REALM}`;
const discovered = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
facts(JSON.stringify({ issuer: discovered.issuer, jwks_uri: discovered.jwks_uri }));
for await (const line of createInterface({ input: process.stdin })) {
  const [[order, how]] = Object.entries(JSON.parse(line));
  facts(JSON.stringify(await orders[order](how)));
}
process.exit(0);
