/* URLs as libcurl reads them, and whether an address is of this host alone. */
#include "http.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* -- addresses ----------------------------------------------------------------------------------------------------- */

/* 0.0.0.0/8, 127.0.0.0/8 and 169.254.0.0/16: RFC 1122, 3.2.1.3; RFC 3927. */
static bool is_near_ipv4(uint32_t address)
{
    return address >> 24 == 0 || address >> 24 == 127 || address >> 16 == 0xa9fe;
}

bool http_is_near(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return is_near_ipv4(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
    if (address->sa_family != AF_INET6)
        return true;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(six) || IN6_IS_ADDR_V4COMPAT(six)) { /* ::1 and :: are of the second kind */
        uint32_t four;
        memcpy(&four, six->s6_addr + 12, sizeof four);
        return is_near_ipv4(ntohl(four));
    }
    return IN6_IS_ADDR_LOOPBACK(six) || IN6_IS_ADDR_UNSPECIFIED(six) || IN6_IS_ADDR_LINKLOCAL(six);
}

/* "localhost" and what ends so: RFC 6761, 6.3. */
static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t length = strlen(host);
    while (length && host[length - 1] == '.')
        length--;
    size_t tail = sizeof name - 1;
    return length >= tail && !strncasecmp(host + length - tail, name, tail) &&
           (length == tail || host[length - tail - 1] == '.');
}

/* Numbers only: no name is looked up. Numbers in odd forms, as 127.1 or 0x7f000001, are libcurl's to make plain. */
bool http_is_near_host(const char *host)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found;
    char bare[256];
    snprintf(bare, sizeof bare, "%s", *host == '[' ? host + 1 : host);
    bare[strcspn(bare, "]%")] = '\0';
    if (is_localhost(bare))
        return true;
    if (getaddrinfo(bare, NULL, &hints, &found))
        return false;
    bool is_near = http_is_near(found->ai_addr);
    freeaddrinfo(found);
    return is_near;
}

/* -- URLs ---------------------------------------------------------------------------------------------------------- */

static CURLUcode copy_part(const CURLU *handle, CURLUPart part, unsigned flags, char *space, size_t size)
{
    char *text = NULL;
    CURLUcode got = curl_url_get(handle, part, &text, flags);
    if (!got && snprintf(space, size, "%s", text) >= (int)size)
        got = CURLUE_TOO_LARGE;
    curl_free(text);
    return got;
}

static CURLUcode read_parts(CURLU *handle, struct http_url *url)
{
    char user[2];
    url->has_user = copy_part(handle, CURLUPART_USER, 0, user, sizeof user) != CURLUE_NO_USER;
    curl_url_set(handle, CURLUPART_USER, NULL, 0);
    curl_url_set(handle, CURLUPART_PASSWORD, NULL, 0);
    CURLUcode got = copy_part(handle, CURLUPART_URL, 0, url->url, sizeof url->url);
    if (!got)
        got = copy_part(handle, CURLUPART_SCHEME, 0, url->scheme, sizeof url->scheme);
    if (!got)
        got = copy_part(handle, CURLUPART_HOST, 0, url->host, sizeof url->host);
    if (!got && copy_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, url->port, sizeof url->port))
        *url->port = '\0'; /* of a scheme that libcurl does not know */
    return got;
}

int http_url_read(struct http_url *url, const char *text, const char *base, struct sys_error *error)
{
    CURLU *handle = curl_url();
    CURLUcode got = handle ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
    *url = (struct http_url){ 0 };
    if (!got && base)
        got = curl_url_set(handle, CURLUPART_URL, base, 0);
    if (!got)
        got = curl_url_set(handle, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE);
    if (!got)
        got = read_parts(handle, url);
    curl_url_cleanup(handle);
    if (got)
        return sys_error_set(error, got == CURLUE_OUT_OF_MEMORY ? "ENOMEM" : "EINVAL", "%s", curl_url_strerror(got));
    url->is_near = http_is_near_host(url->host);
    return 0;
}
