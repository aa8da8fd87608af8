// Manifests instead of a gateway: pasted, or from files.

import { h, field, announce } from "./dom.js";
import { known, paste } from "./data.js";

export const EXAMPLE = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 443, name: https, protocol: HTTPS }
      hosts: ["*.shop.example"]
      tls: { mode: SIMPLE, credentialName: shop }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: default }
spec:
  hosts: [www.shop.example]
  gateways: [istio-system/edge]
  http:
    - name: beta testers
      match: [{ uri: { prefix: /cart }, headers: { x-beta: { exact: "yes" } } }]
      route: [{ destination: { host: cart.example, port: { number: 80 } } }]
      headers: { request: { set: { x-team: cart } } }
    - match: [{ uri: { prefix: / } }]
      route: [{ destination: { host: shop.example, port: { number: 80 } } }]
    - name: never reached
      match: [{ uri: { exact: /old } }]
      redirect: { uri: / }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: upstreams, namespace: default }
spec:
  hosts: [cart.example, shop.example]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: DNS
`;

export function paster() {
  const text = h("textarea", { rows: 14, spellcheck: "false", autocapitalize: "off", value: known.manifests, id: "manifests",
    placeholder: "apiVersion: networking.istio.io/v1\nkind: Gateway\n…" });
  const namespace = h("input", { value: known.options.namespace ?? "istio-system", autocomplete: "off" });
  const labels = h("input", { value: "istio=ingressgateway", autocomplete: "off" });
  const tenancy = h("select", null, h("option", { value: "single" }, "one team"), h("option", { value: "namespaces" }, "teams that do not trust each other"));
  const files = h("input", { type: "file", multiple: true, accept: ".yaml,.yml,.json" });
  const trouble = h("div", { role: "alert" });
  const explain = async () => {
    const options = { namespace: namespace.value.trim(), rootNamespace: namespace.value.trim(), tenancy: tenancy.value,
      labels: Object.fromEntries(labels.value.split(",").map(pair => pair.split("=").map(part => part.trim())).filter(([key]) => key)) };
    try {
      await paste(text.value, options);
      trouble.replaceChildren();
      announce("The manifests were read");
    } catch (error) {
      trouble.replaceChildren(h("p", { class: "notice bad" }, error.message));
    }
  };
  files.addEventListener("change", async () => {
    text.value = (await Promise.all([...files.files].map(file => file.text()))).join("\n---\n");
    explain();
  });
  return h("section", { class: "panel" },
    field("Manifests: Gateways, VirtualServices, ServiceEntries, DestinationRules, Services. They stay in this browser.", text),
    h("div", { class: "tools" }, field("or files", files, { class: "grow" }), field("Gateway’s namespace", namespace), field("Gateway’s labels", labels), field("Written by", tenancy)),
    h("div", { class: "tools" }, h("button", { type: "button", class: "main", onclick: explain, id: "read" }, "Read manifests"),
      h("button", { type: "button", onclick: () => { text.value = EXAMPLE; explain(); } }, "Show an example")),
    trouble,
    h("p", { class: "quiet small" }, "Certificates are not read. A Secret that is not among the manifests is assumed to exist and to be valid."));
}
