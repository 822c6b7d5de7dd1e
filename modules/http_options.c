/* What libcurl is told for each request, and why. Only HTTP/1.x over TCP is compiled in; cookies, netrc, other protocols and
 * authentication beyond Basic are not. */
#include "http.h"

#include <stdio.h>

/* What is the same for all. */
static const struct number {
    CURLoption option;
    long value;
} numbers[] = {
    { CURLOPT_NOSIGNAL, 1 },               /* signals are the scheduler's */
    { CURLOPT_BUFFERSIZE, 64 << 10 },      /* ten of which are taken in one turn: about 3 ms with TLS and hashes */
    { CURLOPT_FOLLOWLOCATION, 0 },         /* who asks decides about each redirect */
    { CURLOPT_HTTP_CONTENT_DECODING, 0 },  /* bytes are kept as they are published; nothing small can become large */
    { CURLOPT_HTTP09_ALLOWED, 0 },         /* what has no head is no answer */
    { CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 }, /* a proxy's answer to CONNECT is not the server's head */
    { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 }, /* the least; TLS 1.3 where the server has it */
    { CURLOPT_SSL_VERIFYPEER, 1 },
    { CURLOPT_SSL_VERIFYHOST, 2 },
    { CURLOPT_PROXY_SSLVERSION, CURL_SSLVERSION_TLSv1_2 }, /* a proxy by https: is checked as a server is */
    { CURLOPT_PROXY_SSL_VERIFYPEER, 1 },
    { CURLOPT_PROXY_SSL_VERIFYHOST, 2 },
};

static CURLcode set_numbers(CURL *easy)
{
    CURLcode got = CURLE_OK;
    for (size_t i = 0; !got && i < sizeof numbers / sizeof numbers[0]; i++)
        got = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
    return got;
}

/* What the request says. A proxy is always told, and be it "": else libcurl looks into the environment by itself. */
static CURLcode set_texts(CURL *easy, const struct http_request *request)
{
    const struct text {
        CURLoption option;
        const char *value;
    } texts[] = {
        { CURLOPT_URL, request->url },
        { CURLOPT_PROTOCOLS_STR, request->is_plain_allowed ? "https,http" : "https" },
        { CURLOPT_PROXY, request->proxy },
        { CURLOPT_NOPROXY, request->no_proxy },
        { CURLOPT_CAINFO, request->ca_file },
        { CURLOPT_CAPATH, request->ca_directory },
        { CURLOPT_PROXY_CAINFO, request->ca_file },
        { CURLOPT_PROXY_CAPATH, request->ca_directory },
        { CURLOPT_USERAGENT, request->user_agent },
    };
    CURLcode got = CURLE_OK;
    for (size_t i = 0; !got && i < sizeof texts / sizeof texts[0]; i++)
        got = curl_easy_setopt(easy, texts[i].option, texts[i].value);
    return got;
}

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

/* Ranges go as fields of our own: libcurl's resume takes answers for errors that the caller can judge. */
static CURLcode set_fields(struct http_transfer *transfer, const struct http_request *request)
{
    CURLcode got = add_field(&transfer->fields, "Range", request->range);
    if (!got)
        got = add_field(&transfer->fields, "If-Range", request->if_range);
    if (!got)
        got = add_field(&transfer->fields, "If-None-Match", request->if_none_match);
    if (!got)
        got = add_field(&transfer->fields, "If-Modified-Since", request->if_modified_since);
    return got ? got : curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->fields);
}

/* Where a connection leads is looked at when it is made: who may not go everywhere takes none that others have made. */
static CURLcode set_connections(CURL *easy, const struct http_request *request)
{
    CURLcode got = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)request->is_public_only);
    return got ? got : curl_easy_setopt(easy, CURLOPT_SHARE, request->connections);
}

CURLcode http_set_options(struct http_transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    CURLcode got = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->reason);
    if (!got)
        got = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, request->connect_timeout_ms);
    if (!got)
        got = set_connections(easy, request);
    if (!got)
        got = set_numbers(easy);
    if (!got)
        got = set_texts(easy, request);
    return got ? got : set_fields(transfer, request);
}
