/* libssh2 for holos: Mbed TLS backend, ECDSA and RSA-SHA2 keys, AES-CTR and chacha20-poly1305, HMAC-SHA2. What has been
 * withdrawn from use elsewhere (MD5, SHA-1 signatures, CBC, 3DES, RIPEMD) is not compiled in. */
#ifndef HOLOS_LIBSSH2_CONFIG_H
#define HOLOS_LIBSSH2_CONFIG_H

#define LIBSSH2_MBEDTLS
#define LIBSSH2_NO_MD5
#define LIBSSH2_NO_MD5_PEM
#define LIBSSH2_NO_3DES
#define LIBSSH2_NO_AES_CBC
#define LIBSSH2_NO_HMAC_RIPEMD
#define LIBSSH2_NO_RSA_SHA1

#define HAVE_ARPA_INET_H
#define HAVE_EXPLICIT_BZERO
#define HAVE_GETTIMEOFDAY
#define HAVE_INTTYPES_H
#define HAVE_NETINET_IN_H
#define HAVE_O_NONBLOCK
#define HAVE_POLL
#define HAVE_SELECT
#define HAVE_SNPRINTF
#define HAVE_STRTOLL
#define HAVE_SYS_IOCTL_H
#define HAVE_SYS_SELECT_H
#define HAVE_SYS_SOCKET_H
#define HAVE_SYS_TIME_H
#define HAVE_SYS_UIO_H
#define HAVE_SYS_UN_H
#define HAVE_UNISTD_H

#endif
