// @ts-check
// Shows the OpenAPI document that the page names, with Swagger UI.
"use strict";

const page = document.getElementById("docs");
// @ts-ignore
window.SwaggerUIBundle({
  url: page?.dataset.openapi,
  domNode: page,
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
