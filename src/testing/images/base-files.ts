/** The small files that every base image has. */
export const baseFiles: Record<string, string> = {
  "etc/passwd": [
    "root:x:0:0:root:/root:/bin/sh",
    "daemon:x:1:1:daemon:/usr/sbin:/bin/false",
    "bin:x:2:2:bin:/bin:/bin/false",
    "sys:x:3:3:sys:/dev:/bin/false",
    "www-data:x:33:33:www-data:/var/www:/bin/false",
    "nobody:x:65534:65534:nobody:/home:/bin/false",
    "",
  ].join("\n"),
  "etc/group": [
    "root:x:0:",
    "daemon:x:1:",
    "bin:x:2:",
    "sys:x:3:",
    "tty:x:5:",
    "www-data:x:33:",
    "users:x:100:",
    "nogroup:x:65534:",
    "",
  ].join("\n"),
  "etc/shadow": "root:*:::::::\n",
  "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
};

export const baseDirectories = [
  "bin",
  "dev",
  "etc",
  "home",
  "proc",
  "root",
  "run",
  "sys",
  "tmp",
  "usr/bin",
  "usr/sbin",
  "var/log",
  "var/tmp",
];
export const stickyDirectories = ["tmp", "var/tmp"];

/** What the nginx image adds to those. */
export const nginxFiles: Record<string, string> = {
  "etc/passwd": `${baseFiles["etc/passwd"]}nginx:x:101:101:nginx:/nonexistent:/bin/false\n`,
  "etc/group": `${baseFiles["etc/group"]}nginx:x:101:\n`,
  "etc/nginx/nginx.conf": `user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;

events {
    worker_connections 1024;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" "$http_x_forwarded_for"';
    access_log /var/log/nginx/access.log main;
    sendfile on;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
`,
  "etc/nginx/conf.d/default.conf": `server {
    listen 80;
    server_name localhost;

    location / {
        root /usr/share/nginx/html;
        index index.html index.htm;
    }
}
`,
};
