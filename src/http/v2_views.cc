#include "http/v2_views.h"

#include <openssl/evp.h>

namespace weir::http {
namespace {

Result<std::string> decode_base64(std::string_view path, const std::string& text) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  const int length = EVP_DecodeBlock(
      reinterpret_cast<unsigned char*>(bytes.data()),
      reinterpret_cast<const unsigned char*>(text.data()),
      static_cast<int>(text.size())
  );
  if (length < 0) {
    return fail(Code::invalid_argument, "the content of 'file:{}' is not base64", path);
  }
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  bytes.resize(static_cast<std::size_t>(length) - padding);
  return bytes;
}

}  // namespace

Result<std::string> model_document(
    const serve::Routes& routes,
    std::string_view name,
    std::string_view version,
    std::string_view operation
) {
  const auto table = routes.load();
  if (operation == "ready") {
    TRY(control::model_ready(*table, name, version));
    return protocol::encode_model_ready(name, true);
  }
  if (operation == "stats") {
    return protocol::encode_statistics(TRY(control::model_statistics(*table, name, version)));
  }
  if (operation == "config") {
    const auto configuration = TRY(control::model_configuration(*table, name, version));
    return protocol::encode_model_configuration(configuration);
  }
  return protocol::encode_model_metadata(TRY(control::model_metadata(*table, name, version)));
}

Result<std::vector<control::ModelFile>> decode_files(const protocol::RepositoryRequest& request) {
  std::vector<control::ModelFile> files;
  for (const auto& file : request.files) {
    files.push_back({file.path, TRY(decode_base64(file.path, file.base64))});
  }
  return files;
}

}  // namespace weir::http
