// The form that confirms: shows only the values that the chosen image asks for.

const image = document.querySelector('.bulk-form select[name="image"]');

function showValues() {
  for (const value of document.querySelectorAll("input[data-images]")) {
    const wanted = value.dataset.images.split(" ").includes(image.value);
    value.closest(".field").hidden = !wanted;
    value.required = wanted;
  }
}

if (image) {
  image.addEventListener("change", showValues);
  showValues();
}
