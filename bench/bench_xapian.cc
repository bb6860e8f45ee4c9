// Search in Xapian: a glass database without syncs, compacted and opened again for the searches. In C++ because
// Xapian has no C interface. No exception leaves this file.
#include <filesystem>
#include <memory>
#include <string>

#include <stdio.h>
#include <xapian.h>

#include "bench/bench_search.h"

namespace
{

struct xap_store {
    std::string path;
    std::unique_ptr<Xapian::WritableDatabase> writer;
    std::unique_ptr<Xapian::Database> reader;
    std::unique_ptr<Xapian::Enquire> enquire;
    Xapian::QueryParser parser;
};

xap_store *store_of(void *handle)
{
    return static_cast<xap_store *>(handle);
}

// Runs `work`; an error ends the program.
template <typename Work> auto guarded(Work work)
{
    try {
        return work();
    } catch (const Xapian::Error &error) {
        search_fatal("xapian", error.get_description().c_str());
    } catch (const std::exception &error) {
        search_fatal("xapian", error.what());
    }
}

void describe(char *out, size_t size)
{
    snprintf(
        out, size,
        "Xapian %s: TermGenerator, English stemmer (STEM_ALL), no stop words, positions; glass on disk, "
        "DB_NO_SYNC, flushed each 10,000 documents (the default), compacted before the searches; QueryParser, BM25 k1 1.2, b 0.75",
        Xapian::version_string());
}

void *open_store(const char *dir)
{
    return guarded([&]() -> void * {
        auto store = std::make_unique<xap_store>();
        store->path = std::string(dir) + "/search.xapian";
        store->writer = std::make_unique<Xapian::WritableDatabase>(
            store->path, Xapian::DB_CREATE | Xapian::DB_BACKEND_GLASS | Xapian::DB_NO_SYNC);
        return store.release();
    });
}

void close_store(void *handle)
{
    guarded([&] { delete store_of(handle); });
}

// The key is the first line of the document's data, the text the rest.
void index_documents(void *handle, const search_document *documents, size_t n)
{
    guarded([&] {
        Xapian::TermGenerator generator;
        generator.set_stemmer(Xapian::Stem("en"));
        generator.set_stemming_strategy(Xapian::TermGenerator::STEM_ALL);
        for (size_t i = 0; i < n; i++) {
            Xapian::Document document;
            std::string text(documents[i].text, documents[i].size);
            generator.set_document(document);
            generator.set_termpos(0);
            generator.index_text(text);
            document.set_data(std::string(documents[i].key) + "\n" + text);
            store_of(handle)->writer->add_document(document);
        }
        store_of(handle)->writer->commit();
    });
}

void settle(void *handle)
{
    guarded([&] {
        xap_store *store = store_of(handle);
        std::string compacted = store->path + ".compact";
        store->writer->compact(compacted);
        store->writer.reset();
        std::filesystem::remove_all(store->path);
        store->path = compacted;
        store->reader = std::make_unique<Xapian::Database>(store->path);
        store->enquire = std::make_unique<Xapian::Enquire>(*store->reader);
        store->enquire->set_weighting_scheme(Xapian::BM25Weight(1.2, 0, 1, 0.75, 0));
        store->parser.set_stemmer(Xapian::Stem("en"));
        store->parser.set_stemming_strategy(Xapian::QueryParser::STEM_ALL);
    });
}

uint64_t index_bytes(void *handle)
{
    return guarded([&] {
        uint64_t bytes = 0;
        for (const auto &entry : std::filesystem::directory_iterator(store_of(handle)->path)) {
            if (entry.is_regular_file() && entry.path().filename() != "docdata.glass") {
                bytes += entry.file_size();
            }
        }
        return bytes;
    });
}

void set_query(xap_store *store, const search_query *query)
{
    char text[256];
    const char *quote = query->mode == SEARCH_PHRASE ? "\"" : "";
    search_text(query, quote, " ", quote, text, sizeof(text));
    store->parser.set_default_op(query->mode == SEARCH_AND ? Xapian::Query::OP_AND : Xapian::Query::OP_OR);
    store->enquire->set_query(store->parser.parse_query(text));
}

size_t search(void *handle, const search_query *query, double *score)
{
    return guarded([&] {
        xap_store *store = store_of(handle);
        size_t n = 0;
        set_query(store, query);
        Xapian::MSet best = store->enquire->get_mset(0, SEARCH_TOP);
        for (auto hit = best.begin(); hit != best.end(); ++hit) {
            std::string data = hit.get_document().get_data();
            *score += hit.get_weight();
            n += data.find('\n') != std::string::npos;
        }
        return n;
    });
}

uint64_t count(void *handle, const search_query *query)
{
    return guarded([&]() -> uint64_t {
        xap_store *store = store_of(handle);
        set_query(store, query);
        // Looking at all of them makes the estimate exact.
        return store->enquire->get_mset(0, SEARCH_TOP, store->reader->get_doccount()).get_matches_estimated();
    });
}

} // namespace

extern "C" const search_engine search_engine_xapian = {
    describe, open_store, close_store, index_documents, settle, index_bytes, search, count,
};
