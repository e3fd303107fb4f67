# Sourced within a mount namespace: fresh_root FOLDER BASE MADE unpacks a Debian from BASE into memory at FOLDER, where
# it ends with the namespace, and copies the packages that MADE names into its /packages.
fresh_root() {
    mkdir "$1"
    mount -t tmpfs -o mode=755 tmpfs "$1"
    tar --extract --file "$2" --directory "$1"
    mkdir "$1/packages"
    xargs -a "$3" cp -t "$1/packages"
}
