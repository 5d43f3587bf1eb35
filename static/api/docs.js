// Shows the API's schema, and lets a reader who is logged in try it: what changes something needs the CSRF token.
"use strict";

const page = document.getElementById("docs");
SwaggerUIBundle({
  url: page.dataset.schema,
  domNode: page,
  deepLinking: true,
  // Without it the page would ask a validator on the internet.
  validatorUrl: null,
  requestInterceptor: (request) => {
    if (new URL(request.url, location.href).origin === location.origin) {
      request.headers["X-CSRFToken"] = page.dataset.csrf;
    }
    return request;
  },
});
