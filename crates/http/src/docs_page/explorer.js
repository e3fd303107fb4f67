"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#explorer",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // The default validator is another host.
  validatorUrl: null,
  // A key is a secret: it stays in the page's memory.
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
});
