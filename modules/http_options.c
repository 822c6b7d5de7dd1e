/* What libcurl is told for each request, and why.
 *
 * No redirects: who asks decides about each hop. No cookies, netrc or proxies of the environment: they are compiled out or
 * given. No content decoding: bytes are kept as they are published, and nothing small can become large. Only HTTP/1.x is
 * compiled in. Certificates and names are always checked; TLS 1.2 is the least. Ranges go as fields of our own, because
 * libcurl's resume takes answers for errors that the caller can judge. */
#include "http.h"

#include <stdio.h>

#define TRY(option, value) do { \
        CURLcode got = curl_easy_setopt(easy, option, value); \
        if (got) \
            return got; \
    } while (0)

/* 64 KiB, ten of which are taken in one turn: about 3 ms with TLS and hashes. */
#define BUFFER_BYTES (64l << 10)

static CURLcode add_field(struct curl_slist **list, const char *name, const char *value)
{
    char line[1024];
    if (!value)
        return CURLE_OK;
    if (snprintf(line, sizeof line, "%s: %s", name, value) >= (int)sizeof line)
        return CURLE_BAD_FUNCTION_ARGUMENT;
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer)
        return CURLE_OUT_OF_MEMORY;
    *list = longer;
    return CURLE_OK;
}

static CURLcode set_fields(struct http_transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    CURLcode got = add_field(&transfer->fields, "Range", request->range);
    if (!got)
        got = add_field(&transfer->fields, "If-Range", request->if_range);
    if (got)
        return got;
    TRY(CURLOPT_HTTPHEADER, transfer->fields);
    TRY(CURLOPT_USERAGENT, request->user_agent);
    TRY(CURLOPT_ACCEPT_ENCODING, NULL);
    TRY(CURLOPT_HTTP_CONTENT_DECODING, 0l);
    TRY(CURLOPT_HTTP09_ALLOWED, 0l);
    return CURLE_OK;
}

/* A proxy by https: is checked as the server is. */
static CURLcode set_tls(CURL *easy, const struct http_request *request)
{
    TRY(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    TRY(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    TRY(CURLOPT_SSL_VERIFYPEER, 1l);
    TRY(CURLOPT_SSL_VERIFYHOST, 2l);
    TRY(CURLOPT_PROXY_SSL_VERIFYPEER, 1l);
    TRY(CURLOPT_PROXY_SSL_VERIFYHOST, 2l);
    TRY(CURLOPT_CAINFO, request->ca_file);
    TRY(CURLOPT_CAPATH, request->ca_directory);
    TRY(CURLOPT_PROXY_CAINFO, request->ca_file);
    TRY(CURLOPT_PROXY_CAPATH, request->ca_directory);
    return CURLE_OK;
}

static CURLcode set_route(CURL *easy, const struct http_request *request)
{
    TRY(CURLOPT_PROXY, request->proxy);
    TRY(CURLOPT_NOPROXY, request->no_proxy);
    TRY(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1l); /* a proxy's answer to CONNECT is not the server's head */
    TRY(CURLOPT_FOLLOWLOCATION, 0l);
    TRY(CURLOPT_PROTOCOLS_STR, request->is_plain_allowed ? "https,http" : "https");
    TRY(CURLOPT_CONNECTTIMEOUT_MS, request->connect_timeout_ms);
    return CURLE_OK;
}

CURLcode http_set_options(struct http_transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    TRY(CURLOPT_URL, request->url);
    TRY(CURLOPT_NOSIGNAL, 1l);
    TRY(CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    TRY(CURLOPT_ERRORBUFFER, transfer->reason);
    CURLcode got = set_fields(transfer, request);
    if (!got)
        got = set_tls(easy, request);
    return got ? got : set_route(easy, request);
}
