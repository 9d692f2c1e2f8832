// The least a download over TLS can cost with OpenSSL: SSL_read into a buffer of 256 KiB, write it.
// Compiled by the benchmark when a C compiler and OpenSSL's headers are there.
//
// usage: tls_floor PORT FILE
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER (256 << 10)

static int fail(const char *what) {
    fprintf(stderr, "tls_floor: %s\n", what);
    return 1;
}

int main(int count, char **arguments) {
    if (count != 3) return fail("usage: tls_floor PORT FILE");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(socket_fd, (struct sockaddr *)&address, sizeof address)) return fail("connect");
    SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
    SSL_set_fd(ssl, socket_fd);
    SSL_set_tlsext_host_name(ssl, "localhost");
    if (SSL_connect(ssl) != 1) return fail("handshake");
    const char *request = "GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (SSL_write(ssl, request, strlen(request)) <= 0) return fail("request");

    char *buffer = malloc(BUFFER + 1);
    int filled = 0;
    char *body = NULL;
    while (!body) {
        int got = SSL_read(ssl, buffer + filled, BUFFER - filled);
        if (got <= 0) return fail("head");
        filled += got;
        buffer[filled] = 0;
        body = strstr(buffer, "\r\n\r\n");
    }
    const char *length = strstr(buffer, "Content-Length: ");
    if (!length) return fail("no length");
    long left = atol(length + strlen("Content-Length: "));
    body += 4;
    filled -= body - buffer;
    memmove(buffer, body, filled);

    int file = open(arguments[2], O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (file < 0) return fail("open");
    for (;;) {
        while (filled < BUFFER && filled < left) {
            int got = SSL_read(ssl, buffer + filled, BUFFER - filled);
            if (got <= 0) return fail("cut");
            filled += got;
        }
        if (write(file, buffer, filled) != filled) return fail("write");
        left -= filled;
        filled = 0;
        if (left == 0) return 0;
    }
}
