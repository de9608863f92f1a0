// Starts Swagger UI, with the samples of each operation (`x-codeSamples`) above its responses.

/** The address in the samples of the document, which this page replaces by its own. */
const SAMPLE_SERVER = "http://127.0.0.1:8000";

function samples({ React }) {
  const { createElement: make, Fragment, useState } = React;

  function Samples({ all }) {
    const [chosen, choose] = useState(0);
    const buttons = all.map(({ label }, number) =>
      make(
        "button",
        { key: label, type: "button", className: "btn", "aria-pressed": number === chosen, onClick: () => choose(number) },
        label,
      ),
    );
    const text = all[chosen].source.replaceAll(SAMPLE_SERVER, location.origin);
    return make(
      "section",
      { className: "samples", "aria-label": "Samples" },
      make("div", { className: "opblock-section-header" }, make("h4", null, "Samples"), ...buttons),
      make("pre", { tabIndex: 0 }, make("code", null, text)),
    );
  }

  const withSamples = (Responses, system) => (properties) => {
    const { path, method } = properties;
    const all = system.specSelectors.specJson().getIn(["paths", path, method, "x-codeSamples"]);
    return make(Fragment, null, all && make(Samples, { all: all.toJS() }), make(Responses, properties));
  };
  return { wrapComponents: { responses: withSamples } };
}

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  plugins: [samples],
});
