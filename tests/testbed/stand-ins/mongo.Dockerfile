# Stands in for docker.io/library/mongo:8.0: FerretDB over PostgreSQL with DocumentDB. It heeds the variables of the first user, keeps
# its data in /data/db and listens on 27017. The options of mongod are ignored. There is no mongosh.
FROM scratch
COPY root /
COPY ferretdb /usr/local/bin/
COPY run /usr/local/bin/docker-entrypoint.sh
RUN useradd --uid 999 --user-group --home-dir /data/db mongodb && install -d -o mongodb -g mongodb /data/db /data/configdb
ENV PATH=/usr/local/bin:/usr/lib/postgresql/18/bin:/usr/bin:/bin
EXPOSE 27017
VOLUME ["/data/db", "/data/configdb"]
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["mongod"]
